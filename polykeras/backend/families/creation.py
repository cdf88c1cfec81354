"""Creation of arrays: copies, grids and ranges."""

from __future__ import annotations

import math
from typing import Any, Literal

from polykeras import dtypes
from polykeras.backend.handles import Handle
from polykeras.backend.spec import Array, Family, Shape, op


class Creation(Family):
    """Composed from `full`, `arange` and elementwise operations. No NumPy table with a fixed size is used."""

    @op()
    def array(self, x: Any, dtype: str | None = None) -> Array:
        """Return a number, list or array of any kind as an array of the current backend.

        Args:
            x: nested lists become axes; an array of another framework is read by `numpy.asarray`.
            dtype: by default the dtype of `x`; Python floats get the default float dtype, Python ints int32.
        """
        return self.asarray(x.value if isinstance(x, Handle) else x, dtype)

    @op()
    def empty(self, shape: Shape | int, dtype: str | None = None) -> Array:
        """Return an array whose values do not matter: zeros.

        Args:
            shape: the sizes of the axes; an int gives one axis.
            dtype: the dtype of the result; by default the default float dtype (`config.floatx()`).
        """
        return self.zeros(shape, dtype)

    @op("x")
    def empty_like(self, x: Array, dtype: str | None = None) -> Array:
        """Return an array of the shape and (unless `dtype` says otherwise) the dtype of `x`: zeros.

        Args:
            x: an array that gives the shape.
            dtype: the dtype of the result; by default that of `x`.
        """
        return self.zeros_like(x, dtype)

    @op("x", others="fill_value")
    def full_like(self, x: Array, fill_value: Any, dtype: str | None = None) -> Array:
        """Return an array of the shape and (unless `dtype` says otherwise) the dtype of `x`, filled with one value.

        Args:
            x: an array that gives the shape.
            fill_value: a number, or an array that broadcasts to that shape.
            dtype: the dtype of the result; by default that of `x`.
        """
        dtype = dtype or self.dtype(x)
        return self.broadcast_to(self.cast(fill_value, dtype), self.shape(x))

    # ---- grids and ranges --------------------------------------------------------------------------------------

    @op("x")
    def meshgrid(self, *x: Array, indexing: Literal["xy", "ij"] = "xy") -> list[Array]:
        """Return one array for each vector, with the vector's coordinate at every point of the grid that they span.

        Args:
            *x: vectors.
            indexing: `"ij"` lays the i-th vector along axis i; `"xy"` exchanges the first two axes.

        Raises:
            ValueError: if `indexing` is unknown.
        """
        if indexing not in ("xy", "ij"):
            raise ValueError(f'meshgrid: expected indexing "xy" or "ij"; received {indexing!r}.')
        axes = list(range(len(x)))
        if indexing == "xy" and len(x) > 1:
            axes[:2] = [1, 0]
        shape = [1] * len(x)
        for vector, axis in zip(x, axes, strict=True):
            shape[axis] = self.size(vector)
        sides = [
            self.reshape(vector, tuple(n if a == axis else 1 for a, n in enumerate(shape)))
            for vector, axis in zip(x, axes, strict=True)
        ]
        return [self.broadcast_to(side, tuple(shape)) for side in sides]

    @op("start stop", "float")
    def linspace(
        self,
        start: Array,
        stop: Array,
        num: int = 50,
        endpoint: bool = True,
        retstep: bool = False,
        dtype: str | None = None,
        axis: int = 0,
    ) -> Any:
        """Return evenly spaced numbers between two bounds.

        Args:
            start: the first number, or an array of them.
            stop: the last number; shapes broadcast.
            num: the number of samples.
            endpoint: whether `stop` is one of them.
            retstep: whether to also return the distance.
            dtype: the dtype of the result; floats are rounded down for an integer dtype.
            axis: the axis of the result along which the numbers of one range lie.

        Returns:
            The numbers, or `(numbers, step)` if `retstep` is set.
        """
        start, stop = self.both_arrays(start, stop)
        steps = num - 1 if endpoint else num
        step = (stop - start) / (steps if steps > 0 else math.nan)
        counts = self.reshape(self.arange(num, dtype="int32"), (num, *(1,) * self.ndim(step)))
        x = start + self.cast(counts, self.dtype(step)) * (step if steps > 0 else stop - start)
        if endpoint and num > 1:
            x = self.where(self.equal(counts, num - 1), stop, x)  # the last number is exact
        x = self.moveaxis(self._rounded(x, dtype), 0, axis)
        return (x, step) if retstep else x

    def _rounded(self, x: Array, dtype: str | None) -> Array:
        """Return floats in `dtype` (None keeps their dtype), rounded down if it is an integer dtype."""
        if dtype is None:
            return x
        return self.cast(self.floor(x) if dtypes.is_int(dtype) else x, dtype)

    @op("start stop", "float")
    def logspace(
        self,
        start: Array,
        stop: Array,
        num: int = 50,
        endpoint: bool = True,
        base: float = 10,
        dtype: str | None = None,
        axis: int = 0,
    ) -> Array:
        """Return `base` to the powers `linspace(start, stop, ...)`: numbers with a constant ratio.

        Args:
            start: the first exponents; broadcast with `stop`.
            stop: the last exponents, or the first ones that are left out.
            num: the number of samples along the new axis.
            endpoint: whether `stop` is the last number.
            base: a positive number.
            dtype: the dtype of the result; by default the float dtype of the exponents.
            axis: the place of the new axis in the result.
        """
        x = self.power(float(base), self.linspace(start, stop, num, endpoint, axis=axis))
        return x if dtype is None else self.cast(x, dtype)

    @op("start stop", "float")
    def geomspace(
        self,
        start: Array,
        stop: Array,
        num: int = 50,
        endpoint: bool = True,
        dtype: str | None = None,
        axis: int = 0,
    ) -> Array:
        """Return numbers with a constant ratio between two bounds of one sign, neither of them 0.

        Args:
            start: the first numbers; broadcast with `stop`.
            stop: the last numbers, or the first ones that are left out.
            num: the number of samples along the new axis.
            endpoint: whether `stop` is the last number.
            dtype: the dtype of the result; by default the float dtype of the bounds.
            axis: the place of the new axis in the result.
        """
        start, stop = self.both_arrays(start, stop)
        exponents = self.linspace(self.zeros_like(start), self.log(stop / start), num, endpoint)
        x = start * self.exp(exponents)
        if endpoint and num > 1:
            counts = self.reshape(self.arange(num, dtype="int32"), (num, *(1,) * (self.ndim(x) - 1)))
            x = self.where(self.equal(counts, num - 1), stop, x)
        return self.moveaxis(x if dtype is None else self.cast(x, dtype), 0, axis)
