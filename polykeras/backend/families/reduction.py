"""Reductions and scans along axes."""

from __future__ import annotations

import math
from math import prod

from polykeras import dtypes
from polykeras.backend.axes import canonical_axis
from polykeras.backend.spec import Array, Axis, Family, op, required


class Reduction(Family):
    """Many values to one. `axis` is an int, several ints, or None for all axes; `()` reduces nothing.

    Sums and products of integers shorter than 32 bits and of bools accumulate and come out as 32-bit integers
    (`dtypes.sum_type`); floats keep their dtype.
    """

    # ---- required ----------------------------------------------------------------------------------------------

    @required("x")
    def sum(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return the sum over `axis`; 0 of nothing.

        Args:
            x: numbers or bools.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
        """
        raise NotImplementedError

    @required("x")
    def prod(self, x: Array, axis: Axis = None, keepdims: bool = False, dtype: str | None = None) -> Array:
        """Return the product over `axis`; 1 of nothing. The gradient is right where factors are 0.

        Args:
            x: numbers or bools.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
            dtype: in which to multiply.
        """
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
        """Return the minimum over `axis`; see `max`.

        Args:
            x: numbers or bools.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
            initial: takes part too; without it, the minimum of nothing is an error.
        """
        raise NotImplementedError

    @required("x")
    def any(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return, as bool, whether any element is true (not 0).

        Args:
            x: bools or numbers.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
        """
        raise NotImplementedError

    @required("x")
    def all(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return, as bool, whether all elements are true (not 0).

        Args:
            x: bools or numbers.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
        """
        raise NotImplementedError

    @required("x")
    def argmax(self, x: Array, axis: int | None = None, keepdims: bool = False) -> Array:
        """Return the int32 index of the first maximum along `axis`, or into the flat array; nan is a maximum.

        Args:
            x: an array of any shape.
            axis: one axis; None takes the elements of `x` in row-major order, as one vector.
            keepdims: keep the reduced axes, with size 1.
        """
        raise NotImplementedError

    @required("x")
    def cumsum(self, x: Array, axis: int | None = None, dtype: str | None = None) -> Array:
        """Return running sums along `axis`, or over the flat array, in the dtype of `x` (int32 for bool) or in `dtype`.

        Sums of narrow integers wrap around, as in Keras: give a wider `dtype`.

        Args:
            x: an array of any shape.
            axis: one axis; None takes the elements of `x` in row-major order, as one vector.
            dtype: in which to add up; by default that of `x`, int32 for bool.
        """
        raise NotImplementedError

    @required("x")
    def cumprod(self, x: Array, axis: int | None = None, dtype: str | None = None) -> Array:
        """Return running products along `axis`, or over the flat array; dtypes as for `cumsum`.

        Args:
            x: an array of any shape.
            axis: one axis; None takes the elements of `x` in row-major order, as one vector.
            dtype: in which to multiply; by default that of `x`, int32 for bool.
        """
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
        """Return the mean over `axis`: a float, of the default dtype where `x` holds integers.

        Args:
            x: numbers or bools.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
        """
        x = self.cast(x, dtypes.float_type(self.dtype(x)))
        total, count = self.sum(x, axis, keepdims), self.reduced_size(x, axis)
        return total if count == 1 else total / count

    @op("x")
    def var(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return the (population) variance over `axis`, from the distances to the mean.

        Args:
            x: numbers; integers become floats.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
        """
        x = self.cast(x, dtypes.float_type(self.dtype(x)))
        return self.mean(self.square(self.abs(x - self.mean(x, axis, True))), axis, keepdims)

    @op("x")
    def std(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return the (population) standard deviation over `axis`. The gradient is 0 where it is 0.

        Args:
            x: numbers; integers become floats.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
        """
        return self._root(self.var(x, axis, keepdims))

    def _root(self, variance: Array) -> Array:
        zero = self.equal(variance, 0)
        return self.where(zero, 0.0, self.sqrt(self.where(zero, 1.0, variance)))

    def _largest(self, x: Array, axis: Axis) -> Array:
        """Return the maximum over `axis`, kept and without gradient; 0 of nothing, where nothing is to be moved."""
        return self.sum(x, axis, True) if 0 in self.shape(x) else self.stop_gradient(self.max(x, axis, True))

    @op("x", "float")
    def logsumexp(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return `log(sum(exp(x)))` over `axis`, without overflow; -inf, with no gradient, of -inf alone.

        Args:
            x: numbers; integers become floats.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
        """
        top = self._largest(x, axis)
        top = self.where(self.isfinite(top), top, self.zeros_like(top))
        total = self.sum(self.exp(x - top), axis, True)
        nothing = self.equal(total, 0)
        total = self.where(nothing, -math.inf, self.log(self.where(nothing, 1.0, total)) + top)
        return total if keepdims else self.squeeze(total, tuple(range(self.ndim(x))) if axis is None else axis)

    @op("x")
    def amax(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return the maximum over `axis`: another name of `max`.

        Args:
            x: an array of any shape.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
        """
        return self.max(x, axis, keepdims)

    @op("x")
    def amin(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return the minimum over `axis`: another name of `min`.

        Args:
            x: an array of any shape.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
        """
        return self.min(x, axis, keepdims)

    @op("x")
    def ptp(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return the distance from the minimum to the maximum over `axis`.

        Args:
            x: numbers of any shape.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
        """
        return self.max(x, axis, keepdims) - self.min(x, axis, keepdims)

    @op("x")
    def argmin(self, x: Array, axis: int | None = None, keepdims: bool = False) -> Array:
        """Return the int32 index of the first minimum along `axis`, or into the flat array; nan is a minimum.

        Args:
            x: an array of any shape.
            axis: one axis; None takes the elements of `x` in row-major order, as one vector.
            keepdims: keep the reduced axes, with size 1.
        """
        # Flipping the bits of an integer turns its order around, and unlike a minus it never overflows.
        turned = -x if self.dtype(x) in dtypes.FLOATS else self.bitwise_invert(x)
        return self.argmax(turned, axis, keepdims)

    @op("x")
    def count_nonzero(self, x: Array, axis: Axis = None) -> Array:
        """Return how many elements along `axis` are true (not 0), as int32.

        Args:
            x: an array of any shape.
            axis: one axis, several, or None for all.
        """
        return self.sum(self.cast(self.cast(x, "bool"), "int32"), axis)

    @op("x1 x2", "float")
    def allclose(
        self, x1: Array, x2: Array, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
    ) -> Array:
        """Return, as one bool, whether all elements are close: see `isclose`.

        Args:
            x1: numbers of any shape; integers become floats.
            x2: of a shape that broadcasts with that of `x1`.
            rtol: how much they may differ, in parts of the size of `x2`.
            atol: how much more they may differ.
            equal_nan: whether nan is close to nan.
        """
        return self.all(self.isclose(x1, x2, rtol, atol, equal_nan))

    @op("x weights", "float")
    def average(self, x: Array, axis: Axis = None, weights: Array | None = None) -> Array:
        """Return the weighted mean over `axis`.

        Args:
            x: an array.
            axis: an int, several, or None for all.
            weights: of the shape of `x`, or a vector along the one `axis`; None weighs all the same.

        Raises:
            ValueError: if the shape of `weights` does not fit.
        """
        if weights is None:
            return self.mean(x, axis)
        x, weights = self.both_arrays(x, weights)
        shape, given = self.shape(x), self.shape(weights)
        if len(given) != len(shape):
            if not isinstance(axis, int) or len(given) != 1:
                raise ValueError(
                    f"average: expected weights of shape {shape}, or a vector and one axis; received weights of shape "
                    f"{given} and axis {axis}."
                )
            place = canonical_axis(axis, len(shape))
            weights = self.reshape(weights, tuple(given[0] if i == place else 1 for i in range(len(shape))))
        weights = self.broadcast_to(weights, shape)
        return self.sum(x * weights, axis) / self.sum(weights, axis)
