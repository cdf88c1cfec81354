"""Arrays, the host, devices and creation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from polykeras import config
from polykeras.backend.spec import Array, Family, Shape, op, required


class Arrays(Family):
    """What an array is, how it reaches and leaves the host, and where it lives."""

    # ---- required ----------------------------------------------------------------------------------------------

    @abstractmethod
    def asarray(self, x: Any, dtype: str | None = None) -> Array:
        """Return `x` as an array of this backend on the current device.

        Args:
            x: a Python scalar, a (nested) list of them, a NumPy array, an array of this backend, or an array of
                another framework that `numpy.asarray` understands. Lists may hold this backend's arrays.
            dtype: the dtype of the result. None keeps an array's dtype; Python floats then become the default
                float dtype, Python ints int32 and bools bool.

        Returns:
            An array. Memory may be shared with a NumPy `x`; neither side writes to it.

        Raises:
            TypeError: `x` is not numeric, or this backend has not that dtype (with the way to enable it).
        """

    @abstractmethod
    def to_numpy(self, x: Array) -> np.ndarray:
        """Return a NumPy array with the values of `x`; waits for its computation. bfloat16 keeps its dtype.

        Raises:
            TypeError: `x` stands for a value that is not computed yet (inside a compiled function).
        """

    @abstractmethod
    def is_tensor(self, x: Any) -> bool:
        """Return whether `x` is an array of this backend, traced or not."""

    @required("x")
    def shape(self, x: Array) -> tuple[int, ...]:
        """Return the shape of `x` as a tuple of ints: it is always known, inside compiled functions too."""
        raise NotImplementedError

    @abstractmethod
    def dtype(self, x: Array) -> str:
        """Return the dtype of `x` by name, such as `"float32"`."""

    @required("x")
    def cast(self, x: Array, dtype: str) -> Array:
        """Return `x` converted to `dtype`.

        Floats become integers by truncation toward zero, numbers become bool by `x != 0`, complex numbers become
        real by dropping the imaginary part. Differentiable between floats.

        Args:
            x: an array of any shape.
            dtype: the name of a dtype, such as `"float32"`.

        Raises:
            TypeError: this backend has not that dtype.
        """
        raise NotImplementedError

    @required("x")
    def bitcast(self, x: Array, dtype: str) -> Array:
        """Return the bits of `x` read as another dtype of the same width: integers and floats. No gradient."""
        raise NotImplementedError

    @abstractmethod
    def devices(self) -> list[str]:
        """Return the names of the devices, such as `["cpu:0"]` or `["gpu:0", "cpu:0"]`; the default one first."""

    @abstractmethod
    def device_scope(self, device: str) -> AbstractContextManager[None]:
        """Return a context in which new arrays are made on `device`.

        Raises:
            ValueError: there is no such device; the message lists those there are.
        """

    @required()
    def full(self, shape: Shape | int, fill_value: Any, dtype: str | None = None) -> Array:
        """Return an array filled with one value.

        Args:
            shape: ints, or the size of the only axis.
            fill_value: a scalar or an array that broadcasts to `shape`.
            dtype: None gives the default float dtype, whatever the value, as in `zeros`.
        """
        raise NotImplementedError

    @required()
    def arange(
        self, start: float, stop: float | None = None, step: float | None = None, dtype: str | None = None
    ) -> Array:
        """Return evenly spaced numbers in `[start, stop)`; `arange(n)` counts from 0.

        Args:
            start: the first number, or the end where `stop` is None.
            stop: the end, not included.
            step: the distance, 1 by default.
            dtype: None gives int32 where all three are ints, else the default float dtype.
        """
        raise NotImplementedError

    def size_from(self, x: Array, message: str) -> int:
        """Return a value as the size of an axis. Where shapes are inferred, that is an unknown one.

        Args:
            x: an integer, shape `()`.
            message: of the error.

        Raises:
            TypeError: the value is not known, as a function is being compiled.
        """
        if self.is_traced(x):
            raise TypeError(message)
        return int(self.to_numpy(x).item())

    def sizes_from(self, x: Array, message: str) -> list[int]:
        """Return the values of a vector as sizes; see `size_from`. An override may know more of them.

        Args:
            x: integers, shape `(n,)`.
            message: of the error.
        """
        return [self.size_from(x[i], message) for i in range(self.shape(x)[0])]

    # ---- composed ----------------------------------------------------------------------------------------------

    @op("x")
    def convert_to_numpy(self, x: Array) -> np.ndarray:
        """Return `x` as a NumPy array."""
        return self.to_numpy(x)

    @property
    def unsupported_dtypes(self) -> dict[str, str]:
        """Dtypes that arrays cannot have, each with the reason and the way out."""
        return {}

    def place(self, x: Any) -> Array:
        """Return host data, or an array, on the current device in memory of its own: it may be donated.

        It suits what comes once in its shape: where `asarray` compiles a program for each shape, this does not.
        """
        return self.asarray(x)

    def borrows_in_place(self, x: Any) -> bool:
        """Return whether `borrow` gives the host's memory itself, so that what is written there later is seen.

        False promises nothing.
        """
        return False

    def borrow(self, x: Any) -> Array:
        """Return host data on the current device, in the host's own memory where that can be: no copy is made.

        The caller leaves the memory as it is until nothing computes with the array any more, and does not donate it.
        What lies in `polykeras.backend.host_memory.aligned_empty` can be used in place on every CPU.
        """
        return self.asarray(x)

    def is_traced(self, x: Any) -> bool:
        """Return whether `x` stands for a value inside a compiled function that is being traced."""
        return False

    def array_types(self) -> tuple[type, ...]:
        """Return the classes of arrays, traced ones too, that may be given Keras's attribute `_keras_mask`."""
        return ()

    @op("x")
    def ndim(self, x: Array) -> int:
        """Return the number of axes of `x`."""
        return len(self.shape(x))

    @op("x")
    def size(self, x: Array) -> int:
        """Return the number of elements of `x`."""
        total = 1
        for n in self.shape(x):
            total *= n
        return total

    @op()
    def zeros(self, shape: Shape | int, dtype: str | None = None) -> Array:
        """Return an array of zeros, of the default float dtype unless `dtype` says otherwise.

        Args:
            shape: the sizes of the axes; an int is that of the only one.
            dtype: of the result; by default the default float dtype (`config.floatx()`).
        """
        return self.full(shape, 0, dtype or config.floatx())

    @op()
    def ones(self, shape: Shape | int, dtype: str | None = None) -> Array:
        """Return an array of ones, of the default float dtype unless `dtype` says otherwise.

        Args:
            shape: the sizes of the axes; an int is that of the only one.
            dtype: of the result; by default the default float dtype (`config.floatx()`).
        """
        return self.full(shape, 1, dtype or config.floatx())

    @op("x")
    def zeros_like(self, x: Array, dtype: str | None = None) -> Array:
        """Return zeros of the shape and (unless `dtype` says otherwise) the dtype of `x`.

        Args:
            x: gives the shape.
            dtype: of the result; by default that of `x`.
        """
        return self.full(self.shape(x), 0, dtype or self.dtype(x))

    @op("x")
    def ones_like(self, x: Array, dtype: str | None = None) -> Array:
        """Return ones of the shape and (unless `dtype` says otherwise) the dtype of `x`.

        Args:
            x: gives the shape.
            dtype: of the result; by default that of `x`.
        """
        return self.full(self.shape(x), 1, dtype or self.dtype(x))

    def host_constant(self, values: np.ndarray | Sequence[Any], dtype: str) -> Array:
        """Return host values as a constant array: for tables that a composite computes with NumPy."""
        return self.asarray(np.asarray(values), dtype)
