"""Where the value of a variable lies: on the host, on one backend, or in an object of a framework."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from polykeras.backend import Backend, value_lock
from polykeras.backend.handles import Handle
from polykeras.backend.native import NativeLocation
from polykeras.variables.native_parameters import NativeParameter
from polykeras.variables.sharing import OWNED, Sharing


class Located(Handle):
    """An array that lies in one place at a time and moves, through host memory, to the backend that reads it.

    Attributes:
        path: its name, for messages.
        native_parameter: the parameter by which native code knows it, or None.
        _place_and_value: a pair. There are three cases: a backend and its array; None for the host and a NumPy array,
            or a `partial` that makes it when it is needed; a native location and the framework's object that stores
            the value.
        _sharing: who else may hold the array.
    """

    __slots__ = ("_dtype", "_place_and_value", "_shape", "_sharing", "native_parameter", "path")

    def __init__(self, shape: tuple[int, ...], dtype: str, host: Any, path: str) -> None:
        self._shape, self._dtype, self.path = shape, dtype, path
        self._place_and_value: tuple[Backend | NativeLocation | None, Any] = (None, host)
        self._sharing: Sharing = OWNED
        self.native_parameter: NativeParameter | None = None

    @property
    def location(self) -> str:
        """The name of the backend that holds the value; `"host"` where none has read it yet."""
        backend = self._place_and_value[0]
        return "host" if backend is None else backend.name

    @property
    def stored_dtype(self) -> str:
        """The dtype of the value itself, whatever dtype an autocast scope reads it in."""
        return self._dtype

    # ---- for scopes, layers and native code ----------------------------------------------------------------------

    def detached_value(self, backend: Backend) -> Any:
        """Return `stored_value` as an array in which no gradients gather."""
        value = self.stored_value(backend)
        return value if self.native_parameter is None else backend.stop_gradient(value)

    def stored_value(self, backend: Backend) -> Any:
        """Return the value outside of all scopes, as an array of a backend. It moves there if it was elsewhere.

        Raises:
            TypeError: the backend has no such dtype.
        """
        location, value = self._place_and_value
        if location is backend:
            return value
        if not backend.holds_values:
            return backend.full(self._shape, 0, self._dtype)
        if self._dtype in backend.unsupported_dtypes:
            raise TypeError(f"Variable {self.path!r} is {self._dtype}, which {backend.unsupported_dtypes[self._dtype]}")
        if isinstance(location, NativeLocation):
            return location.read(value, backend)
        moved = backend.place(self._host_value())
        if not backend.is_traced(moved):
            self._replace_value(backend, moved)
            return self._place_and_value[1]
        return moved

    @property
    def native_object(self) -> Any:
        """The framework's object in which a native location stores the value; None where none does."""
        location, stored = self._place_and_value
        return stored if isinstance(location, NativeLocation) else None

    def store_in(self, location: NativeLocation, stored: Any) -> None:
        """Have a framework's object store the value for good.

        Args:
            location: how it is stored.
            stored: the object, which holds the value already, in memory of its own.
        """
        self._place_and_value, self._sharing = (location, stored), OWNED

    def lay_out(self, backend: Backend, place: Callable[[Any], Any]) -> None:
        """Have the value lie as a function places it. The caller holds the lock of values.

        Args:
            backend: where the value is wanted.
            place: takes an array of the backend; returns one of the same numbers, or the same array.
        """
        value = self.stored_value(backend)
        placed = place(value)
        if placed is not value:
            self._replace_value(backend, placed, self._sharing)

    # ---- for this package ------------------------------------------------------------------------------------------

    def _replace_value(self, backend: Backend | None, value: Any, sharing: Sharing = OWNED) -> None:
        """Take over a value of the right shape and dtype: an array of the backend, or of the host for None.

        An object of a framework by which native code knows the variable takes the numbers.
        """
        with value_lock.lock:
            (location, stored), parameter = self._place_and_value, self.native_parameter
            if isinstance(location, NativeLocation):
                location.write(stored, backend, value)
            else:
                if parameter is not None and parameter.backend is backend:
                    value = parameter.take_back(value)
                elif parameter is not None:
                    parameter.leave()
                self._place_and_value = (backend, value)
                self._sharing = sharing

    def _host_value(self) -> np.ndarray:
        """Return the value outside of all scopes on the host. It is made now if nobody needed it so far."""
        location, value = self._place_and_value
        if location is not None:
            return location.to_numpy(value)
        if isinstance(value, partial):
            value = value()
            self._place_and_value = (None, value)
        return value

    def _donatable_value(self, backend: Backend) -> Any:
        """Return the value outside of all scopes, in memory that nobody else refers to: it may be donated."""
        value = self.stored_value(backend)
        if self.native_parameter is not None:
            return backend.place(value)  # native code holds it, and finds it as it is if what runs fails
        if self._sharing and not isinstance(self._place_and_value[0], NativeLocation):
            value = backend.place(value)
            if not backend.is_traced(value):
                self._place_and_value = (backend, value)
                self._sharing = OWNED
        return value

    def _store_result(self, backend: Backend, value: Any) -> None:
        """Take over a result of a compiled function, whose shape and dtype are known to be right."""
        if self.native_parameter is None and not isinstance(self._place_and_value[0], NativeLocation):
            self._place_and_value = (backend, value)
            self._sharing = OWNED
        else:
            self._replace_value(backend, value)

    def _traced_elsewhere(self, backend: Backend) -> TypeError:
        """Return the error for an assignment of a traced value, where the trace does not know this variable."""
        return TypeError(
            f"Variable {self.path!r} was assigned inside a function that {backend.name} compiles by itself, where its "
            "value does not exist yet. Compile with `polykeras.function`, which carries variables out."
        )
