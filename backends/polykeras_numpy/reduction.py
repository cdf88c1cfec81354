"""Reductions and scans along axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras import dtypes
from polykeras.backend.families.reduction import Reduction
from polykeras.backend.spec import Array, Axis
from polykeras_numpy.shaping import broadcast_to
from polykeras_numpy.tape import anp, isbox, raw, rule, total


def _axes(axis: Axis) -> int | tuple[int, ...] | None:
    return tuple(axis) if isinstance(axis, Sequence) else axis


def _kept(x: Any, axis: Any) -> tuple[int, ...]:
    """Return the shape of `x` after a reduction over `axis` that keeps the reduced axes."""
    if axis is None:
        return (1,) * x.ndim
    axes = {a % x.ndim for a in ((axis,) if isinstance(axis, int) else axis)}
    return tuple(1 if i in axes else n for i, n in enumerate(x.shape))


def _sum_vjp(g: Any, ans: Any, x: Any, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Any:
    if not keepdims and axis is not None:
        g = anp.reshape(g, _kept(x, axis))
    return broadcast_to(g, x.shape)


def _extremum_vjp(g: Any, ans: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    kept = _kept(x, axis)
    chosen = anp.equal(x, anp.reshape(ans, kept))
    count = np.maximum(np.sum(chosen, axis=axis, keepdims=True, dtype=x.dtype), x.dtype.type(1))
    return anp.reshape(g, kept) * (chosen / count).astype(x.dtype)


def _cumsum_vjp(g: Any, ans: Any, x: Any, axis: int) -> Any:
    place = (slice(None),) * (axis % x.ndim) + (slice(None, None, -1),)
    return anp.cumsum(g[place], axis)[place]


rule(anp.sum, _sum_vjp)
rule(total, _sum_vjp)
rule(anp.max, _extremum_vjp)
rule(anp.min, _extremum_vjp)
rule(anp.cumsum, _cumsum_vjp)


class NumpyReduction(Reduction):
    """NumPy's reductions, in the dtypes of the contract; 16-bit floats accumulate in float32."""

    def _widened(self, x: Array, dtype: str | None) -> tuple[Array, str]:
        """Return `x` in the dtype for accumulation, and the dtype of the result."""
        result = dtype or dtypes.sum_type(self.dtype(x))
        return self.cast(x, "float32" if result in ("float16", "bfloat16") else result), result

    def sum(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        if self.dtype(x) in ("float32", "float64"):
            return total(x, _axes(axis), keepdims)
        wide, result = self._widened(x, None)
        return self.cast(total(wide, _axes(axis), keepdims), result)

    def prod(self, x: Array, axis: Axis = None, keepdims: bool = False, dtype: str | None = None) -> Array:
        wide, result = self._widened(x, dtype)
        product = _tree_product if isbox(x) else np.prod
        return self.cast(product(wide, axis=_axes(axis), keepdims=keepdims), result)

    def max(self, x: Array, axis: Axis = None, keepdims: bool = False, initial: float | None = None) -> Array:
        if initial is None:
            return anp.max(x, axis=_axes(axis), keepdims=keepdims)
        if self.reduced_size(x, axis) == 0:
            return np.max(raw(x), axis=_axes(axis), keepdims=keepdims, initial=initial)
        return anp.maximum(anp.max(x, axis=_axes(axis), keepdims=keepdims), self.asarray(initial, self.dtype(x)))

    def min(self, x: Array, axis: Axis = None, keepdims: bool = False, initial: float | None = None) -> Array:
        if initial is None:
            return anp.min(x, axis=_axes(axis), keepdims=keepdims)
        if self.reduced_size(x, axis) == 0:
            return np.min(raw(x), axis=_axes(axis), keepdims=keepdims, initial=initial)
        return anp.minimum(anp.min(x, axis=_axes(axis), keepdims=keepdims), self.asarray(initial, self.dtype(x)))

    def any(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        return anp.any(x, axis=_axes(axis), keepdims=keepdims)

    def all(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        return anp.all(x, axis=_axes(axis), keepdims=keepdims)

    def argmax(self, x: Array, axis: int | None = None, keepdims: bool = False) -> Array:
        return anp.argmax(x, axis=axis, keepdims=keepdims).astype(np.int32)

    def cumsum(self, x: Array, axis: int | None = None, dtype: str | None = None) -> Array:
        dtype = dtype or dtypes.number_type(self.dtype(x))
        wide, result = self._widened(self.reshape(x, -1) if axis is None else x, dtype)
        return self.cast(anp.cumsum(wide, axis or 0), result)

    def cumprod(self, x: Array, axis: int | None = None, dtype: str | None = None) -> Array:
        dtype = dtype or dtypes.number_type(self.dtype(x))
        wide, result = self._widened(self.reshape(x, -1) if axis is None else x, dtype)
        return self.cast(_running_product(wide, axis or 0) if isbox(x) else np.cumprod(wide, axis or 0), result)


def _tree_product(x: Any, axis: Any, keepdims: bool) -> Any:
    """Return the product as a tree of pairwise products, whose gradient is right even if factors are 0."""
    kept = _kept(x, axis)
    reduced = [i for i in range(x.ndim) if axis is None or i in {a % x.ndim for a in np.atleast_1d(axis)}]
    others = [i for i in range(x.ndim) if i not in reduced]
    shape = [x.shape[i] for i in others]
    y = anp.reshape(anp.transpose(x, (*reduced, *others)), (-1 if x.size else 0, *shape))
    if y.shape[0] == 0:
        y = np.ones((1, *shape), x.dtype)
    while y.shape[0] > 1:
        half = y.shape[0] // 2
        rest = y[2 * half :]
        y = y[:half] * y[half : 2 * half]
        y = anp.concatenate((y, rest)) if rest.shape[0] else y
    return anp.reshape(y, kept if keepdims else tuple(shape))


def _running_product(x: Any, axis: int) -> Any:
    """Return running products in log2(n) steps (Hillis and Steele's scan), with right gradients if factors are 0."""
    before = (slice(None),) * (axis % x.ndim)
    n, step = x.shape[axis], 1
    while step < n:
        head, tail, shifted = slice(0, step), slice(step, None), slice(0, n - step)
        x = anp.concatenate((x[(*before, head)], x[(*before, tail)] * x[(*before, shifted)]), axis=axis)
        step *= 2
    return x
