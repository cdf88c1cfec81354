"""Where variables live that native code has used: in objects of the framework, which native code reads and changes."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import numpy as np


class NativeLocation:
    """How a framework's native code sees variables, and how an object of it (`tf.Variable`) stores one.

    A variable that native code has used is stored in such an object for good.

    Attributes:
        name: that of the backend.
    """

    name: str

    # ---- reads and assignments that native code may see ----------------------------------------------------------

    def is_watching(self) -> bool:
        """Return whether native code may see what is read or assigned now, outside of scopes."""
        raise NotImplementedError

    def note_access(self, variable: Any, assigned: bool = False) -> None:
        """Let native code see that a variable is about to be read, or assigned, outside of scopes.

        Args:
            variable: a `polykeras.Variable`.
            assigned: whether it gets a value.
        """
        raise NotImplementedError

    def read_in_scope(self, variable: Any, value: Any) -> Any:
        """Return the value that a scope has for a variable, such that native code sees it come from the variable.

        Args:
            variable: a `polykeras.Variable`.
            value: the scope's.
        """
        return value

    def eager_step(self) -> AbstractContextManager[None]:
        """Return the context of a step that runs as plain Python in a scope, whatever compiles itself in it."""
        return nullcontext()

    # ---- what is stored -------------------------------------------------------------------------------------------

    def read(self, stored: Any, backend: Any) -> Any:
        """Return what an object of the framework stores.

        Args:
            stored: the object.
            backend: of which the result is an array.
        """
        raise NotImplementedError

    def write(self, stored: Any, backend: Any, value: Any) -> None:
        """Store a value in an object of the framework.

        Args:
            stored: the object.
            backend: that of the value; None for an array, or a `partial` that makes one, on the host.
            value: of the right shape and dtype.
        """
        raise NotImplementedError

    def to_numpy(self, stored: Any) -> np.ndarray:
        """Return what an object of the framework stores as a NumPy array."""
        raise NotImplementedError


def note_access(backend: Any, variables: Iterable[Any], assigned: bool = False) -> None:
    """Let a framework's native code, if it watches, see that variables are about to be read or assigned.

    Args:
        backend: of the framework.
        variables: those variables.
        assigned: whether they get values.
    """
    location = backend.native.location
    if location is not None and location.is_watching():
        for variable in variables:
            location.note_access(variable, assigned)


def two_frameworks_error(variable: Any, first: str, second: str) -> RuntimeError:
    """Return the error for a variable that native code of two frameworks asks for.

    Args:
        variable: a `polykeras.Variable`.
        first: the framework that stores it.
        second: the other one.
    """
    return RuntimeError(
        f"Variable {variable.path!r} is stored in an object of {first}, whose own code asked first, and cannot be "
        f"one of {second} too. Copy the weights into a new model: `new.set_weights(old.get_weights())`."
    )


def on_host(value: Any) -> np.ndarray:
    """Return a value on the host, which is made now if it is a `partial` that makes it."""
    return value() if isinstance(value, partial) else value
