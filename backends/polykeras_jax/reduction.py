"""Reductions and scans on JAX."""

from __future__ import annotations

import jax.numpy as jnp

from polykeras import dtypes
from polykeras.backend.families.reduction import Reduction
from polykeras.backend.spec import Array, Axis
from polykeras_jax.arrays import name_of, native_dtype


def _axes(axis: Axis) -> int | tuple[int, ...] | None:
    return axis if axis is None or isinstance(axis, int) else tuple(axis)


def _sum_dtype(x: Array, dtype: str | None = None) -> str:
    """Return the dtype to accumulate in; JAX must be told, because its own choice depends on the 64-bit mode."""
    dtype = dtype or dtypes.sum_type(name_of(x.dtype))
    native_dtype(dtype)
    return dtype


def _running_dtype(x: Array, dtype: str | None) -> str:
    return _sum_dtype(x, dtype or dtypes.number_type(name_of(x.dtype)))


class JaxReduction(Reduction):
    """See `polykeras.backend.families.reduction`."""

    def sum(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        return jnp.sum(x, _axes(axis), _sum_dtype(x), keepdims=keepdims)

    def prod(self, x: Array, axis: Axis = None, keepdims: bool = False, dtype: str | None = None) -> Array:
        return jnp.prod(x, _axes(axis), _sum_dtype(x, dtype), keepdims=keepdims)

    def max(self, x: Array, axis: Axis = None, keepdims: bool = False, initial: float | None = None) -> Array:
        return jnp.max(x, _axes(axis), keepdims=keepdims, initial=initial)

    def min(self, x: Array, axis: Axis = None, keepdims: bool = False, initial: float | None = None) -> Array:
        return jnp.min(x, _axes(axis), keepdims=keepdims, initial=initial)

    def any(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        return jnp.any(x, _axes(axis), keepdims=keepdims)

    def all(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        return jnp.all(x, _axes(axis), keepdims=keepdims)

    def argmax(self, x: Array, axis: int | None = None, keepdims: bool = False) -> Array:
        return jnp.argmax(x, axis, keepdims=keepdims).astype("int32")

    def cumsum(self, x: Array, axis: int | None = None, dtype: str | None = None) -> Array:
        return jnp.cumsum(x, axis, _running_dtype(x, dtype))

    def cumprod(self, x: Array, axis: int | None = None, dtype: str | None = None) -> Array:
        return jnp.cumprod(x, axis, _running_dtype(x, dtype))
