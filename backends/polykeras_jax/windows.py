"""Windows over the spatial axes of an array, made of slices."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import jax.numpy as jnp
from jax import lax

from polykeras.backend.spec import Array
from polykeras.backend.windows import Padding


def pad(x: Array, padding: Padding, value: float = 0) -> Array:
    """Return `x` with its spatial axes padded; negative numbers crop."""
    if not any(any(pair) for pair in padding):
        return x
    return lax.pad(x, jnp.asarray(value, x.dtype), [(0, 0, 0), *((b, a, 0) for b, a in padding), (0, 0, 0)])


def at_place(x: Array, axis: int, place: int, size: int, stride: int, dilation: int = 1) -> Array:
    """Return the elements that one place of a window covers as the window moves along an axis."""
    count = (x.shape[axis] - dilation * (size - 1) - 1) // stride + 1
    start = place * dilation
    return lax.slice_in_dim(x, start, start + (count - 1) * stride + 1, stride, axis)


def along(x: Array, axis: int, size: int, stride: int, dilation: int = 1) -> list[Array]:
    """Return, for each place of a window along one axis, the elements that it covers as the window moves."""
    return [at_place(x, axis, place, size, stride, dilation) for place in range(size)]


def shifted(x: Array, window: Sequence[int], strides: Sequence[int], dilation: Sequence[int]) -> list[Array]:
    """Return the elements that each place of the window covers, in row-major order: `(batch, *spatial', channels)`."""
    geometry = list(zip(x.shape[1:-1], window, strides, dilation, strict=True))
    spans = [(n - d * (w - 1) - 1) // s * s + 1 for n, w, s, d in geometry]
    parts = []
    for place in product(*(range(w) for w in window)):
        start = [p * d for p, d in zip(place, dilation, strict=True)]
        stop = [low + span for low, span in zip(start, spans, strict=True)]
        parts.append(lax.slice(x, (0, *start, 0), (x.shape[0], *stop, x.shape[-1]), (1, *strides, 1)))
    return parts


def columns(x: Array, window: Sequence[int], strides: Sequence[int], dilation: Sequence[int]) -> Array:
    """Return the elements under each window: `(batch, *spatial', *window, channels)`.

    The axes are handled one after another, so that XLA compiles and computes the producer of `x` once for each place of
    the last axis, not for each place of the window.
    """
    rank = len(window)
    for axis in reversed(range(rank)):
        x = jnp.stack(along(x, axis + 1, window[axis], strides[axis], dilation[axis]), rank + 1)
    return x
