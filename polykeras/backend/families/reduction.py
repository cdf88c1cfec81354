"""Reductions and scans along axes."""

from __future__ import annotations

import math
from math import prod

from polykeras import dtypes
from polykeras.backend.axes import canonical_axis
from polykeras.backend.spec import Array, Axis, Family, op, required


class Reduction(Family):
    """Reductions to fewer values. `axis` is an int, several ints, or None for all axes; `()` reduces nothing.

    Sums and products of bools, and of integers shorter than 32 bits, accumulate in 32-bit integers and return them
    (`dtypes.sum_type`). Floats keep their dtype.
    """

    # ---- required ----------------------------------------------------------------------------------------------

    @required("x")
    def sum(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return the sum over `axis`; 0 if it is empty.

        Args:
            x: numbers or bools.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
        """
        raise NotImplementedError

    @required("x")
    def prod(self, x: Array, axis: Axis = None, keepdims: bool = False, dtype: str | None = None) -> Array:
        """Return the product over `axis`; 1 if it is empty. The gradient is also right where factors are 0.

        Args:
            x: numbers or bools.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
            dtype: the dtype of the product.
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
        """Return the minimum over `axis`; nan if any is nan. Equal minima share the gradient evenly.

        Args:
            x: numbers or bools.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
            initial: an upper bound of the result; without it, the minimum of no elements is an error.
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
        """Return the int32 index of the first maximum along `axis`, or into the flat array; nan counts as maximum.

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
            dtype: the dtype of the sums; by default that of `x`, or int32 for bool.
        """
        raise NotImplementedError

    @required("x")
    def cumprod(self, x: Array, axis: int | None = None, dtype: str | None = None) -> Array:
        """Return running products along `axis`, or over the flat array; dtypes as for `cumsum`.

        Args:
            x: an array of any shape.
            axis: one axis; None takes the elements of `x` in row-major order, as one vector.
            dtype: the dtype of the products; by default that of `x`, or int32 for bool.
        """
        raise NotImplementedError

    # ---- composed ----------------------------------------------------------------------------------------------

    def reduced_size(self, x: Array, axis: Axis) -> int:
        """Return the number of elements of `x` that one element of a reduction over `axis` combines."""
        shape = self.shape(x)
        if axis is None:
            return prod(shape)
        axes = (axis,) if isinstance(axis, int) else axis
        return prod(shape[canonical_axis(a, len(shape))] for a in axes)

    @op("x")
    def mean(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return the mean over `axis`as a float, of the default dtype if `x` holds integers.

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
        """Return the (population) variance over `axis`, computed from the distances to the mean.

        Args:
            x: numbers; integers become floats.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
        """
        x = self.cast(x, dtypes.float_type(self.dtype(x)))
        return self.mean(self.square(self.abs(x - self.mean(x, axis, True))), axis, keepdims)

    @op("x")
    def std(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return the (population) standard deviation over `axis`. Where it is 0, so is the gradient.

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
        """Return the maximum over `axis`, with the axis kept and without a gradient; 0 if it is empty."""
        return self.sum(x, axis, True) if 0 in self.shape(x) else self.stop_gradient(self.max(x, axis, True))

    @op("x", "float")
    def logsumexp(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return `log(sum(exp(x)))` over `axis`, without overflow.

        If all elements are -inf, the result is -inf, without a gradient.

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
    def amax(self, x: Array, axis: Axis = None, keepdims: bool = False, initial: float | None = None) -> Array:
        """Return the maximum over `axis`: another name of `max`.

        Args:
            x: an array of any shape.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
            initial: a lower bound of the result.
        """
        return self.max(x, axis, keepdims, initial)

    @op("x")
    def amin(self, x: Array, axis: Axis = None, keepdims: bool = False, initial: float | None = None) -> Array:
        """Return the minimum over `axis`: another name of `min`.

        Args:
            x: an array of any shape.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
            initial: an upper bound of the result.
        """
        return self.min(x, axis, keepdims, initial)

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
        """Return the int32 index of the first minimum along `axis`, or into the flat array; nan counts as minimum.

        Args:
            x: an array of any shape.
            axis: one axis; None takes the elements of `x` in row-major order, as one vector.
            keepdims: keep the reduced axes, with size 1.
        """
        # Flipping the bits of an integer reverses the order, and unlike a minus sign it never overflows.
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
        """Return one bool, whether all elements are close; see `isclose`.

        Args:
            x1: numbers of any shape; integers become floats.
            x2: of a shape that broadcasts with that of `x1`.
            rtol: the relative tolerance, as a fraction of `|x2|`.
            atol: the absolute tolerance, which is added.
            equal_nan: whether nan counts as close to nan.
        """
        return self.all(self.isclose(x1, x2, rtol, atol, equal_nan))

    @op("x weights", "float")
    def average(self, x: Array, axis: Axis = None, weights: Array | None = None) -> Array:
        """Return the weighted mean over `axis`.

        Args:
            x: an array.
            axis: an int, several, or None for all.
            weights: of the shape of `x`, or a vector along the one `axis`; None gives all the same weight.

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
