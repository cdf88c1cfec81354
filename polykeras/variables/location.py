"""Where the value of a variable lies: on the host, on one backend, or in an object of a framework."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from polykeras.backend import Backend
from polykeras.backend.dispatch import Handle
from polykeras.backend.native import NativeLocation
from polykeras.variables import runs
from polykeras.variables.native_parameters import NativeParameter


class Located(Handle):
    """An array that lies in one place at a time and moves, through host memory, to the backend that reads it.

    Attributes:
        path: its name, for messages.
        _location: the backend, None for the host, and its array; or, on the host, a function that makes it when it is
            needed. Where native code has looked at it: how it is stored for that code, and the framework's object that
            stores it.
        _lent: whether somebody else may hold the array; `KEPT`, and relies on its numbers.
        _parameter: the parameter by which native code knows it.
    """

    __slots__ = ("_dtype", "_lent", "_location", "_parameter", "_shape", "path")

    def __init__(self, shape: tuple[int, ...], dtype: str, host: Any, path: str) -> None:
        self._shape, self._dtype, self.path = shape, dtype, path
        self._location: tuple[Backend | NativeLocation | None, Any] = (None, host)
        self._lent: bool | int = False
        self._parameter: NativeParameter | None = None

    @property
    def location(self) -> str:
        """The name of the backend that holds the value; `"host"` where none has read it yet."""
        backend = self._location[0]
        return "host" if backend is None else backend.name

    def _plain(self, backend: Backend) -> Any:
        """The stored value as an array of which nobody gathers gradients."""
        value = self._stored(backend)
        return value if self._parameter is None else backend.stop_gradient(value)

    def _stored(self, backend: Backend) -> Any:
        """The value outside any scope, moved to `backend` where it was elsewhere."""
        location, value = self._location
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
            self._keep(backend, moved)
            return self._location[1]
        return moved

    def _keep(self, backend: Backend | None, value: Any, lent: bool | int = False) -> None:
        """Take over a value of the right shape and dtype: an array of the backend, or of the host for None.

        Where native code knows an object that holds the value, it takes the numbers.
        """
        with runs.turn:
            (location, stored), parameter = self._location, self._parameter
            if isinstance(location, NativeLocation):
                location.write(stored, backend, value)
            else:
                if parameter is not None and parameter.backend is backend:
                    value = parameter.take_back(value)
                elif parameter is not None:
                    parameter.leave()
                self._location = (backend, value)
                self._lent = lent

    def _host_value(self) -> np.ndarray:
        """The value outside any scope on the host, which is made now where nobody needed it so far."""
        location, value = self._location
        if location is not None:
            return location.to_numpy(value)
        if isinstance(value, partial):
            value = value()
            self._location = (None, value)
        return value

    def _owned(self, backend: Backend) -> Any:
        """The value outside any scope, in memory that nobody else refers to: it may be donated."""
        value = self._stored(backend)
        if self._parameter is not None:
            return backend.place(value)  # native code holds it, and finds it as it is if what runs fails
        if self._lent and not isinstance(self._location[0], NativeLocation):
            value = backend.place(value)
            if not backend.is_traced(value):
                self._location = (backend, value)
                self._lent = False
        return value

    def _store(self, backend: Backend, value: Any) -> None:
        """Take over a result of a compiled function, whose shape and dtype are known to be right."""
        if self._parameter is None and not isinstance(self._location[0], NativeLocation):
            self._location = (backend, value)
            self._lent = False
        else:
            self._keep(backend, value)
