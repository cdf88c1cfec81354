"""Reductions and scans that ignore nan."""

from __future__ import annotations

import math

from polykeras import dtypes
from polykeras.backend.spec import Array, Axis, Family, op


class NanReduction(Family):
    """The reductions without `nan` in their names, over all other elements. No gradient goes to a nan."""

    def _replaced(self, x: Array, value: float) -> Array:
        """Return `x` with nan replaced by a number."""
        return self.where(self.isnan(x), value, x) if self.dtype(x) in dtypes.FLOATS else x

    def _count(self, x: Array, axis: Axis, keepdims: bool) -> Array:
        """Return how many elements are not nan, as floats; nan if there are none."""
        count = self.sum(self.cast(self.equal(x, x), self.dtype(x)), axis, keepdims)
        return self.where(self.equal(count, 0), math.nan, count)

    @op("x")
    def nansum(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return the sum over `axis` without nan; 0 if there are no other elements.

        Args:
            x: an array of any shape.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
        """
        return self.sum(self._replaced(x, 0), axis, keepdims)

    @op("x")
    def nanprod(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return the product over `axis` without nan; 1 if there are no other elements.

        Args:
            x: an array of any shape.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
        """
        return self.prod(self._replaced(x, 1), axis, keepdims)

    @op("x", "float")
    def nanmean(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return the mean over `axis` without nan; nan if there are no other elements.

        Args:
            x: numbers of any shape; integers become floats.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
        """
        return self.nansum(x, axis, keepdims) / self._count(x, axis, keepdims)

    @op("x", "float")
    def nanvar(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return the (population) variance over `axis` without nan; nan if there are no others.

        Args:
            x: numbers of any shape; integers become floats.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
        """
        center = self.nanmean(x, axis, True)
        missing = self.isnan(x)
        distance = self.where(missing, 0.0, x) - self.where(missing, 0.0, center)
        return self.sum(distance * distance, axis, keepdims) / self._count(x, axis, keepdims)

    @op("x", "float")
    def nanstd(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return the (population) standard deviation over `axis` without nan; nan if there are no others.

        Args:
            x: numbers of any shape; integers become floats.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
        """
        return self._root(self.nanvar(x, axis, keepdims))

    @op("x")
    def nanmax(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return the maximum over `axis` without nan; nan if there are no other elements.

        Args:
            x: an array of any shape.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
        """
        return self._with_nothing(x, self.max(self._replaced(x, -math.inf), axis, keepdims), axis, keepdims)

    @op("x")
    def nanmin(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return the minimum over `axis` without nan; nan if there are no other elements.

        Args:
            x: an array of any shape.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
        """
        return self._with_nothing(x, self.min(self._replaced(x, math.inf), axis, keepdims), axis, keepdims)

    def _with_nothing(self, x: Array, result: Array, axis: Axis, keepdims: bool) -> Array:
        """Return `result` with nan where all elements of `x` are nan."""
        if self.dtype(x) not in dtypes.FLOATS:
            return result
        return self.where(self.all(self.isnan(x), axis, keepdims), math.nan, result)

    @op("x")
    def nanargmax(self, x: Array, axis: int | None = None, keepdims: bool = False) -> Array:
        """Return the int32 index of the first maximum along `axis` without nan; -1 if there are no others.

        Args:
            x: an array of any shape.
            axis: one axis; None takes the elements of `x` in row-major order, as one vector.
            keepdims: keep the reduced axes, with size 1.
        """
        return self._place(x, self.argmax(self._replaced(x, -math.inf), axis, keepdims), axis, keepdims)

    @op("x")
    def nanargmin(self, x: Array, axis: int | None = None, keepdims: bool = False) -> Array:
        """Return the int32 index of the first minimum along `axis` without nan; -1 if there are no others.

        Args:
            x: an array of any shape.
            axis: one axis; None takes the elements of `x` in row-major order, as one vector.
            keepdims: keep the reduced axes, with size 1.
        """
        return self._place(x, self.argmin(self._replaced(x, math.inf), axis, keepdims), axis, keepdims)

    def _place(self, x: Array, place: Array, axis: int | None, keepdims: bool) -> Array:
        if self.dtype(x) not in dtypes.FLOATS:
            return place
        return self.where(self.all(self.isnan(x), axis, keepdims), -1, place)

    @op("x")
    def nancumsum(self, x: Array, axis: int | None = None, dtype: str | None = None) -> Array:
        """Return running sums along `axis` with nan counted as 0.

        Args:
            x: an array of any shape.
            axis: one axis; None takes the elements of `x` in row-major order, as one vector.
            dtype: the dtype of the sums; by default that of `x`, or int32 for bool.
        """
        return self.cumsum(self._replaced(x, 0), axis, dtype)

    @op("x")
    def nancumprod(self, x: Array, axis: int | None = None, dtype: str | None = None) -> Array:
        """Return running products along `axis` with nan counted as 1.

        Args:
            x: an array of any shape.
            axis: one axis; None takes the elements of `x` in row-major order, as one vector.
            dtype: the dtype of the products; by default that of `x`, or int32 for bool.
        """
        return self.cumprod(self._replaced(x, 1), axis, dtype)
