"""Reductions and scans along axes."""

from __future__ import annotations

from abc import ABC
from math import prod

from polykeras import dtypes
from polykeras.backend.shaping import ShapeMethods, canonical_axis
from polykeras.backend.spec import Array, Axis, op, required


class ReductionMethods(ShapeMethods, ABC):
    """Many values to one. `axis` is an int, several ints, or None for all axes; `()` reduces nothing.

    Sums and products of integers shorter than 32 bits and of bools accumulate and come out as 32-bit integers
    (`dtypes.sum_type`); floats keep their dtype.
    """

    # ---- required ----------------------------------------------------------------------------------------------

    @required("x")
    def sum(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return the sum over `axis`; 0 of nothing."""
        raise NotImplementedError

    @required("x")
    def prod(self, x: Array, axis: Axis = None, keepdims: bool = False, dtype: str | None = None) -> Array:
        """Return the product over `axis`; 1 of nothing. The gradient is right where factors are 0."""
        raise NotImplementedError

    @required("x")
    def max(self, x: Array, axis: Axis = None, keepdims: bool = False, initial: float | None = None) -> Array:
        """Return the maximum over `axis`; nan if any is nan. Equal maxima share the gradient evenly.

        Args:
            x: an array, not empty along `axis` unless `initial` is given.
            axis: see the class.
            keepdims: keep reduced axes with size 1.
            initial: a lower bound of the result.
        """
        raise NotImplementedError

    @required("x")
    def min(self, x: Array, axis: Axis = None, keepdims: bool = False, initial: float | None = None) -> Array:
        """Return the minimum over `axis`; see `max`."""
        raise NotImplementedError

    @required("x")
    def any(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return, as bool, whether any element is true (not 0)."""
        raise NotImplementedError

    @required("x")
    def all(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return, as bool, whether all elements are true (not 0)."""
        raise NotImplementedError

    @required("x")
    def argmax(self, x: Array, axis: int | None = None, keepdims: bool = False) -> Array:
        """Return the int32 index of the first maximum along `axis`, or into the flat array; nan is a maximum."""
        raise NotImplementedError

    @required("x")
    def cumsum(self, x: Array, axis: int | None = None, dtype: str | None = None) -> Array:
        """Return running sums along `axis`, or over the flat array, in the dtype of `sum` or in `dtype`."""
        raise NotImplementedError

    @required("x")
    def cumprod(self, x: Array, axis: int | None = None, dtype: str | None = None) -> Array:
        """Return running products along `axis`, or over the flat array, in the dtype of `prod` or in `dtype`."""
        raise NotImplementedError

    # ---- composed ----------------------------------------------------------------------------------------------

    def reduced_size(self, x: Array, axis: Axis) -> int:
        """Return how many elements of `x` meet in one element of a reduction over `axis`."""
        shape = self.shape(x)
        if axis is None:
            return prod(shape)
        axes = (axis,) if isinstance(axis, int) else axis
        return prod(shape[canonical_axis(a, len(shape))] for a in axes)

    @op("x")
    def mean(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return the mean over `axis`: a float, of the default dtype where `x` holds integers."""
        x = self.cast(x, dtypes.float_type(self.dtype(x)))
        return self.sum(x, axis, keepdims) / self.reduced_size(x, axis)

    @op("x")
    def var(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return the (population) variance over `axis`, from the distances to the mean."""
        x = self.cast(x, dtypes.float_type(self.dtype(x)))
        return self.mean(self.square(self.abs(x - self.mean(x, axis, True))), axis, keepdims)

    @op("x", "float")
    def logsumexp(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return `log(sum(exp(x)))` over `axis`, without overflow."""
        top = self.stop_gradient(self.max(x, axis, True))
        top = self.where(self.isfinite(top), top, self.zeros_like(top))
        total = self.log(self.sum(self.exp(x - top), axis, True)) + top
        return total if keepdims else self.squeeze(total, tuple(range(self.ndim(x))) if axis is None else axis)

    @op("x")
    def isfinite(self, x: Array) -> Array:
        """Return whether each element is neither nan nor infinite, as bool."""
        return self.equal(x - x, 0) if self.dtype(x) in dtypes.FLOATS else self.equal(x, x)
