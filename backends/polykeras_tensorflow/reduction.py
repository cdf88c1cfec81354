"""Reductions and scans along axes."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from polykeras import dtypes
from polykeras.backend.axes import canonical_axis
from polykeras.backend.families.reduction import Reduction
from polykeras.backend.spec import Array, Axis

raw = tf.raw_ops


def _axes(x: Array, axis: Axis) -> tuple[int, ...]:
    """Return the reduced axes, counted from the front."""
    ndim = x.shape.rank
    if axis is None:
        return tuple(range(ndim))
    return tuple(canonical_axis(a, ndim) for a in ((axis,) if isinstance(axis, int) else axis))


class TensorflowReduction(Reduction):
    """Reductions to fewer values."""

    def sum(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        x = self.cast(x, dtypes.sum_type(x.dtype.name))
        return raw.Sum(input=x, axis=_axes(x, axis), keep_dims=keepdims)

    def prod(self, x: Array, axis: Axis = None, keepdims: bool = False, dtype: str | None = None) -> Array:
        x = self.cast(x, dtype or dtypes.sum_type(x.dtype.name))
        axes = _axes(x, axis)
        if not (x.dtype.is_floating or x.dtype.is_complex):
            return raw.Prod(input=x, axis=axes, keep_dims=keepdims)
        # By halves: unlike that of the Prod op, the gradient of a product of two is right at zeros in every order.
        for a in axes:
            x = self._prod_along(x, a)
        return x if keepdims else self.squeeze(x, axes)

    def _prod_along(self, x: Array, axis: int) -> Array:
        n = x.shape[axis]
        if n == 0:
            shape = x.shape.as_list()
            return self.ones((*shape[:axis], 1, *shape[axis + 1 :]), x.dtype.name)
        while n > 1:
            half = n // 2
            first, second, odd = tf.split(x, [half, half, n - 2 * half], axis)
            x = first * second
            if n % 2:
                x = tf.concat([x, odd], axis)
            n = half + n % 2
        return x

    def max(self, x: Array, axis: Axis = None, keepdims: bool = False, initial: float | None = None) -> Array:
        axes = self._filled_axes("max", x, axis, initial)
        result = (raw.Any if x.dtype.is_bool else raw.Max)(input=x, axis=axes, keep_dims=keepdims)
        return result if initial is None else self.maximum(result, initial)

    def min(self, x: Array, axis: Axis = None, keepdims: bool = False, initial: float | None = None) -> Array:
        axes = self._filled_axes("min", x, axis, initial)
        result = (raw.All if x.dtype.is_bool else raw.Min)(input=x, axis=axes, keep_dims=keepdims)
        return result if initial is None else self.minimum(result, initial)

    def _filled_axes(self, name: str, x: Array, axis: Axis, initial: Any) -> tuple[int, ...]:
        axes = _axes(x, axis)
        if initial is None and any(x.shape[a] == 0 for a in axes):
            raise ValueError(
                f"{name}: an array of shape {tuple(x.shape)} has no {name} over axes {axes}; give `initial`."
            )
        return axes

    def any(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        return raw.Any(input=self.cast(x, "bool"), axis=_axes(x, axis), keep_dims=keepdims)

    def all(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        return raw.All(input=self.cast(x, "bool"), axis=_axes(x, axis), keep_dims=keepdims)

    def argmax(self, x: Array, axis: int | None = None, keepdims: bool = False) -> Array:
        kept = (1,) * x.shape.rank
        if axis is None:
            index = self._argmax(raw.Reshape(tensor=x, shape=(-1,)), 0)
            return raw.Reshape(tensor=index, shape=kept) if keepdims else index
        index = self._argmax(x, axis)
        return tf.expand_dims(index, axis) if keepdims else index

    def _argmax(self, x: Array, axis: int) -> Array:
        if not x.dtype.is_floating:
            return raw.ArgMax(input=x, dimension=axis, output_type=tf.int32)
        # The kernel ignores nan, which counts as maximum in the contract: rank it above inf.
        top = raw.Max(input=x, axis=(axis,), keep_dims=True)
        found = raw.LogicalOr(x=raw.Equal(x=x, y=top), y=raw.IsNan(x=x))
        return raw.ArgMax(input=found, dimension=axis, output_type=tf.int32)

    def cumsum(self, x: Array, axis: int | None = None, dtype: str | None = None) -> Array:
        x, axis, result = self._running(x, axis, dtype)
        return self.cast(raw.Cumsum(x=x, axis=axis), result)

    def cumprod(self, x: Array, axis: int | None = None, dtype: str | None = None) -> Array:
        x, axis, result = self._running(x, axis, dtype)
        if not (x.dtype.is_floating or x.dtype.is_complex):
            return self.cast(raw.Cumprod(x=x, axis=axis), result)
        # The gradient of the Cumprod op divides by x, which is wrong at 0; doubling only multiplies.
        n, shift = x.shape[axis], 1
        while shift < n:
            start, rest = tf.split(x, [shift, n - shift], axis)
            x = tf.concat([start, rest * tf.split(x, [n - shift, shift], axis)[0]], axis)
            shift *= 2
        return x

    def _running(self, x: Array, axis: int | None, dtype: str | None) -> tuple[Array, int, str]:
        """Return the array in the dtype in which to accumulate, the axis, and the dtype of the result."""
        result = dtype or dtypes.number_type(x.dtype.name)
        x = self.cast(self.cast(x, result), dtypes.sum_type(result))
        if axis is None:
            return raw.Reshape(tensor=x, shape=(-1,)), 0, result
        return x, canonical_axis(axis, x.shape.rank), result
