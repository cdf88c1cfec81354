"""Convolutions as matrix products of slices, for cases without a fast XLA kernel and for small windows."""

from __future__ import annotations

from functools import partial
from math import prod

import jax
import jax.numpy as jnp
from jax import lax

from polykeras.backend.spec import Array
from polykeras_jax.windows import along, at_place, columns, shifted

_SMALL = 25  # the largest number of places in a window that is summed row by row


@partial(jax.jit, static_argnums=(2, 3, 4))
@partial(jax.checkpoint, static_argnums=(2, 3, 4))  # keeps no slices, which are window size times the input
def conv_products(x: Array, kernel: Array, strides: tuple[int, ...], dilation: tuple[int, ...], groups: int) -> Array:
    """Return the convolution of a padded array as products of its slices: one matrix product if `groups` is 1."""
    *window, depth, filters = kernel.shape
    size = prod(window) * depth  # explicit, because -1 cannot be inferred if there are no rows
    if depth == 1 and groups > 1:
        return _depthwise(jnp.repeat(x, filters // groups, -1), kernel.reshape(*window, filters), strides, dilation)
    if groups == 1:
        # The barrier keeps the kernel's rows as they are. Its gradient is then (gradients.T @ columns).T, which is
        # faster than (columns.T @ gradients).
        rows = lax.optimization_barrier(kernel.reshape(size, filters).T)
        under = columns(x, window, strides, dilation)
        return under.reshape(*under.shape[: len(window) + 1], size) @ rows.T
    parts = shifted(x, window, strides, dilation)
    under = jnp.concatenate([part.reshape(*part.shape[:-1], groups, depth) for part in parts], -1)
    out = jnp.einsum("...gk,kgf->...gf", under, kernel.reshape(size, groups, filters // groups))
    return out.reshape(*out.shape[:-2], filters)


def _depthwise(x: Array, kernel: Array, strides: tuple[int, ...], dilation: tuple[int, ...]) -> Array:
    """Return the convolution of each channel by itself: a sum of elementwise products, which XLA fuses.

    Small windows over two axes with stride 1 are summed row by row: over the last axis once for all rows, then over the
    first. XLA compiles this faster, and steps are at least as fast. With strides this would compute rows that are not
    needed, and for three axes or large windows it is slower.

    Args:
        x: padded inputs, with as many channels as filters.
        kernel: an array `(*window, filters)`.
        strides: one for each axis.
        dilation: one for each axis.
    """
    window, filters = kernel.shape[:-1], kernel.shape[-1]
    if len(window) == 2 and set(strides) == {1} and prod(window) <= _SMALL:
        parts = along(x, 2, window[1], 1, dilation[1])
        rows = [sum(part * weight for part, weight in zip(parts, row, strict=True)) for row in kernel]
        return sum(at_place(row, 1, place, window[0], 1, dilation[0]) for place, row in enumerate(rows))
    parts = shifted(x, window, strides, dilation)
    return sum(part * weight for part, weight in zip(parts, kernel.reshape(-1, filters), strict=True))


@partial(jax.jit, static_argnums=(2, 3, 4))
def conv_transpose_products(
    x: Array, kernel: Array, strides: tuple[int, ...], padding: tuple[tuple[int, int], ...], dilation: tuple[int, ...]
) -> Array:
    """Return the transposed convolution: one matrix product, whose parts are spread by the strides and summed.

    The axes are handled one after another, as in `columns`.
    """
    *window, filters, channels = kernel.shape
    rank = len(window)
    x = (x @ kernel.reshape(prod(window) * filters, channels).T).reshape(*x.shape[:-1], *window, filters)
    for axis in range(rank):
        w, s, d, (before, after) = window[axis], strides[axis], dilation[axis], padding[axis]
        total = None
        for p in range(w):
            spread = [(0, 0, 0)] * (x.ndim - 1)
            spread[axis + 1] = (p * d - before, (w - 1 - p) * d - after, s - 1)
            part = lax.index_in_dim(x, p, rank + 1, keepdims=False)
            part = lax.pad(part, jnp.zeros((), part.dtype), spread)
            total = part if total is None else total + part
        x = total
    return x
