"""What a backend says of its framework's own code, which looks at variables without asking us: tapes, modules, ..."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from polykeras.backend.native import Native

turn = threading.RLock()
"""Held for moments, in which values of variables are taken or given, or move; a new lock after a fork."""


class NativeLocation:
    """How variables appear to native code of one framework; a backend that needs it has one as `native.location`.

    It is also where variables live that native code has looked at: in an object of the framework
    (`tf.Variable`), which native code may read and change, for good.
    """

    name: str
    native: Native = Native()  # as a backend's that has no such location

    # ---- told of reads and assignments ---------------------------------------------------------------------------

    def looks(self) -> bool:
        """Return whether native code may see what is read or assigned now, outside of scopes."""
        raise NotImplementedError

    def note(self, variable: Any, assigned: bool = False) -> None:
        """Take notice of a variable that is about to be read, or assigned, outside of scopes while native code looks.

        Args:
            variable: a `polykeras.Variable`.
            assigned: whether it gets a value.
        """
        raise NotImplementedError

    def read_in_scope(self, variable: Any, value: Any) -> Any:
        """Return the value that a scope has for a variable, such that native code sees it come from the variable."""
        return value

    def in_step(self) -> AbstractContextManager[None]:
        """Return the context of a step that runs as plain Python in a scope, whatever compiles itself in it."""
        return nullcontext()

    # ---- the location of variables that were looked at -----------------------------------------------------

    def read(self, stored: Any, backend: Any) -> Any:
        """Return what an object of the framework stores, as an array of a backend."""
        raise NotImplementedError

    def write(self, stored: Any, backend: Any, value: Any) -> None:
        """Have an object of the framework store a value.

        Args:
            stored: the object.
            backend: that of the value; None for an array, or a `partial` that makes one, on the host.
            value: of the right shape and dtype.
        """
        raise NotImplementedError

    def to_numpy(self, stored: Any) -> np.ndarray:
        """Return what an object of the framework stores as a NumPy array."""
        raise NotImplementedError


def renew_turn() -> threading.RLock:
    """Make another lock in place of `turn`, and return it.

    It is for a forked process: a thread that is not there any more may hold the other one.
    """
    global turn
    turn = threading.RLock()
    return turn


def in_turn() -> AbstractContextManager[Any]:
    """Return the context in which this thread alone takes or gives values of variables, or moves them to a location."""
    return turn


def tell(backend: Any, variables: Iterable[Any], assigned: bool = False) -> None:
    """Tell the native code of a backend's framework, where it looks, of variables about to be read or assigned."""
    location = backend.native.location
    if location is not None and location.looks():
        for variable in variables:
            location.note(variable, assigned)


def other_framework(variable: Any, first: str, second: str) -> RuntimeError:
    """Return the error for a variable that native code of a second framework asks for."""
    return RuntimeError(
        f"Variable {variable.path!r} is stored in an object of {first}, whose own code asked first, and cannot be "
        f"one of {second} too. Copy the weights into a new model: `new.set_weights(old.get_weights())`."
    )


def leaf_name(variable: Any) -> str | None:
    """Return the name of the framework whose code gathers gradients in an object for a variable; None for none."""
    leaf = variable._leaf
    return None if leaf is None else leaf.backend.name


def value_on(variable: Any, backend: Any) -> Any:
    """Return the value that a variable has outside of scopes, as an array of a backend."""
    return variable._stored(backend)


def on_host(value: Any) -> np.ndarray:
    """Return a value on the host, made now where it is a `partial` that makes it."""
    return value() if isinstance(value, partial) else value


@dataclass(frozen=True)
class Adoption:
    """How objects of a framework that hold variables of its own (`tf.Variable`, `tf.Module`) become parts of layers.

    Attributes:
        native: the location of those variables.
        kinds: the classes of such objects.
        parts: returns the framework's variables in one of them, as they are now.
        describe: returns the name, shape, dtype and whether it is trainable of one of the framework's variables.
        known: returns the `polykeras.Variable` that stands for one of them, or None.
        bind: told of each of them once, with the `polykeras.Variable` that stands for it from then on, and a function
            that returns the value that a scope has for that, or None where it has none, and one that returns whether
            there is a scope, which takes what is assigned.
    """

    native: NativeLocation
    kinds: tuple[type, ...]
    parts: Callable[[Any], Iterable[Any]]
    describe: Callable[[Any], tuple[str, tuple[int, ...], str, bool]]
    known: Callable[[Any], Any]
    bind: Callable[[Any, Any, Callable[[Any], Any], Callable[[], bool]], None]
