"""Shapes on JAX."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
from jax import lax

from polykeras.backend.families.shaping import Shaping
from polykeras.backend.spec import Array, Axis, Shape
from polykeras.common.arguments import shape_tuple


class JaxShaping(Shaping):
    """See `polykeras.backend.families.shaping`."""

    def reshape(self, x: Array, newshape: Shape | int) -> Array:
        return jnp.reshape(x, newshape)

    def transpose(self, x: Array, axes: Sequence[int] | None = None) -> Array:
        return jnp.transpose(x, axes)

    def broadcast_to(self, x: Array, shape: Shape | int) -> Array:
        return jnp.broadcast_to(x, shape_tuple(shape))

    def concatenate(self, xs: Sequence[Array], axis: int = 0) -> Array:
        return jnp.concatenate(xs, axis)

    def constant_pad(self, x: Array, pad_width: Sequence[tuple[int, int]], value: float = 0) -> Array:
        return lax.pad(x, jnp.asarray(value, x.dtype), [(before, after, 0) for before, after in pad_width])

    def flip(self, x: Array, axis: Axis = None) -> Array:
        return jnp.flip(x, axis if axis is None or isinstance(axis, int) else tuple(axis))

    def strided_slice(self, x: Array, start: Shape, stop: Shape, step: Shape) -> Array:
        stop = [max(first, last) for first, last in zip(start, stop, strict=True)]
        return lax.slice(x, tuple(start), stop, tuple(step))
