"""Convolution and pooling on JAX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain, product
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from polykeras import fast
from polykeras.backend.nn import Padding
from polykeras.backend.spec import Array
from polykeras_jax.arrays import on_cpu
from polykeras_jax.fourier import JaxFourier
from polykeras_jax.loops import inside_loop

# In loops on the CPU convolutions are written as products of shifted slices. XLA's own convolution loses its fast
# kernel inside a loop there (https://github.com/jax-ml/jax/issues/12868), and each chunk of training steps is a loop: a
# step of two layers on 128 images of 28x28 took 375 ms with `lax.conv` and 40 ms so, one depthwise layer 1500 ms and 15
# ms (jax 0.10.2, 2 cores). Outside of loops, in predictions, the kernel takes half the time of the products or less. It
# has none for groups and for spread inputs, which are products everywhere.


def _as_products() -> bool:
    """Return whether convolutions are written as products where XLA has no fast kernel."""
    return on_cpu() and fast.enabled()


def _pad(x: Array, padding: Padding, value: float = 0) -> Array:
    """Return `x` with its spatial axes padded; negative numbers crop."""
    if not any(any(pair) for pair in padding):
        return x
    return lax.pad(x, jnp.asarray(value, x.dtype), [(0, 0, 0), *((b, a, 0) for b, a in padding), (0, 0, 0)])


def _along(x: Array, axis: int, size: int, stride: int, dilation: int = 1) -> list[Array]:
    """Return, for each place of a window along one axis, what lies under it as the window moves along."""
    count = (x.shape[axis] - dilation * (size - 1) - 1) // stride + 1
    starts = [place * dilation for place in range(size)]
    return [lax.slice_in_dim(x, start, start + (count - 1) * stride + 1, stride, axis) for start in starts]


def _shifted(x: Array, window: Sequence[int], strides: Sequence[int], dilation: Sequence[int]) -> list[Array]:
    """Return, for each place of the window in row-major order, what lies under it: `(batch, *spatial', channels)`."""
    geometry = list(zip(x.shape[1:-1], window, strides, dilation, strict=True))
    spans = [(n - d * (w - 1) - 1) // s * s + 1 for n, w, s, d in geometry]
    parts = []
    for place in product(*(range(w) for w in window)):
        start = [p * d for p, d in zip(place, dilation, strict=True)]
        stop = [low + span for low, span in zip(start, spans, strict=True)]
        parts.append(lax.slice(x, (0, *start, 0), (x.shape[0], *stop, x.shape[-1]), (1, *strides, 1)))
    return parts


def _columns(x: Array, window: Sequence[int], strides: Sequence[int], dilation: Sequence[int]) -> Array:
    """Return what lies under each place of the window: `(batch, *spatial', *window, channels)`.

    Axis by axis, so that XLA compiles, and computes, what `x` is made of for each place of the last axis, not for all.
    """
    rank = len(window)
    for axis in reversed(range(rank)):
        x = jnp.stack(_along(x, axis + 1, window[axis], strides[axis], dilation[axis]), rank + 1)
    return x


@partial(jax.jit, static_argnums=(2, 3, 4))
@partial(jax.checkpoint, static_argnums=(2, 3, 4))  # else each layer's slices, window times its input, would be kept
def _conv_products(x: Array, kernel: Array, strides: tuple[int, ...], dilation: tuple[int, ...], groups: int) -> Array:
    """Return the convolution of a padded array as products of its slices: one matrix product where `groups` is 1."""
    *window, depth, filters = kernel.shape
    if depth == 1 and groups > 1:  # depthwise: nothing to contract, and a sum of elementwise products fuses
        x = jnp.repeat(x, filters // groups, -1)
        weights = kernel.reshape(-1, filters)
        return sum(part * weight for part, weight in zip(_shifted(x, window, strides, dilation), weights, strict=True))
    if groups == 1:
        # The barrier keeps the kernel's rows as they are, so that its gradient is (gradients.T @ columns).T, which
        # takes 1.2 ms where (columns.T @ gradients) takes 1.5.
        rows = lax.optimization_barrier(kernel.reshape(-1, filters).T)
        columns = _columns(x, window, strides, dilation)
        return columns.reshape(*columns.shape[: len(window) + 1], -1) @ rows.T
    parts = _shifted(x, window, strides, dilation)
    columns = jnp.concatenate([part.reshape(*part.shape[:-1], groups, depth) for part in parts], -1)
    out = jnp.einsum("...gk,kgf->...gf", columns, kernel.reshape(-1, groups, filters // groups))
    return out.reshape(*out.shape[:-2], filters)


@partial(jax.jit, static_argnums=(2, 3, 4))
def _conv_transpose_products(
    x: Array, kernel: Array, strides: tuple[int, ...], padding: tuple[tuple[int, int], ...], dilation: tuple[int, ...]
) -> Array:
    """Return the transposed convolution: one matrix product, whose parts are spread by the strides and summed.

    Axis by axis, as `_columns`.
    """
    *window, filters, channels = kernel.shape
    rank = len(window)
    x = (x @ kernel.reshape(-1, channels).T).reshape(*x.shape[:-1], *window, filters)
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


def _dimension_numbers(rank: int) -> tuple[str, str, str]:
    axes = "DHW"[-rank:]
    return f"N{axes}C", f"{axes}IO", f"N{axes}C"


def _fold_axis(x: Array, axis: int, size: int, stride: int, combine: Callable[[Array, Array], Array]) -> Array:
    """Return windows along one axis reduced from front to back."""
    if stride == size:  # windows that tile the axis: a view, cheaper than strided slices in the gradient too
        count = x.shape[axis] // size
        x = lax.slice_in_dim(x, 0, count * size, axis=axis)
        x = x.reshape(*x.shape[:axis], count, size, *x.shape[axis + 1 :])
        parts = [lax.index_in_dim(x, i, axis + 1, keepdims=False) for i in range(size)]
    else:
        parts = _along(x, axis, size, stride)
    total = parts[0]
    for part in parts[1:]:
        total = combine(total, part)
    return total


def _first_max(a: Array, b: Array) -> Array:
    """Return the larger of two; the gradient of a tie goes to `a` alone; nan is larger than all."""
    keep = a >= b
    if jnp.issubdtype(a.dtype, jnp.inexact):
        keep |= jnp.isnan(a)
    return jnp.where(keep, a, b)


def _lowest(x: Array) -> Any:
    return -jnp.inf if jnp.issubdtype(x.dtype, jnp.inexact) else jnp.iinfo(x.dtype).min


def _folded(
    x: Array, pool_size: tuple[int, ...], strides: tuple[int, ...], combine: Callable[[Array, Array], Array]
) -> Array:
    """Return windows reduced axis by axis.

    The last axis is the first: of equal maxima the first in row-major order is the first of the first row that has one.
    """
    for axis in reversed(range(len(pool_size))):
        x = _fold_axis(x, axis + 1, pool_size[axis], strides[axis], combine)
    return x


def _tiles(x: Array, pool_size: tuple[int, ...]) -> Array:
    """Return windows that tile `x`, with an axis for the places along each: `(batch, *(count, size), channels)`."""
    counts = [n // size for n, size in zip(x.shape[1:-1], pool_size, strict=True)]
    used = [slice(count * size) for count, size in zip(counts, pool_size, strict=True)]
    return x[:, *used].reshape(x.shape[0], *chain(*zip(counts, pool_size, strict=True)), x.shape[-1])


@partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def _max_pool(x: Array, pool_size: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    """Return the maxima of windows.

    Outside of loops by XLA's own, which the CPU's library computes together with the convolutions around them: three of
    both in a prediction of 256 images take 42 ms so, and 105 ms with maxima axis by axis. In loops there is no such.
    """
    if not inside_loop():
        low = np.asarray(_lowest(x), x.dtype)
        return lax.reduce_window(x, low, lax.max, (1, *pool_size, 1), (1, *strides, 1), "VALID")
    return _folded(x, pool_size, strides, lax.max)


@_max_pool.defjvp
def _max_pool_jvp(pool_size: Any, strides: Any, primals: Any, tangents: Any) -> Any:
    """Let the first of equal maxima in row-major order have the gradient; nan is larger than all."""
    if pool_size != strides:
        return jax.jvp(lambda x: _folded(x, pool_size, strides, _first_max), primals, tangents)
    out = _max_pool(*primals, pool_size, strides)
    # One comparison a place, where the folded maximum takes two selections: a tenth of a step of two convolutions.
    # Places are floats, as the CPU's library reduces those alone.
    x, tangent = (_tiles(part, pool_size) for part in (*primals, *tangents))
    axes = tuple(range(2, x.ndim - 1, 2))
    places = _tiles(np.arange(prod(pool_size), dtype="float32").reshape(1, *pool_size, 1), pool_size)
    largest = x == jnp.expand_dims(out, axes)
    if jnp.issubdtype(x.dtype, jnp.inexact):
        largest |= jnp.isnan(x)
    first = jnp.where(largest, places, np.float32(places.size)).min(axes, keepdims=True)
    return out, jnp.where(places == first, tangent, 0).sum(axes)


class JaxNeural(JaxFourier):
    """See `polykeras.backend.nn`."""

    def conv_nd(
        self,
        inputs: Array,
        kernel: Array,
        strides: Sequence[int],
        padding: Padding,
        dilation: Sequence[int],
        groups: int = 1,
    ) -> Array:
        if _as_products() and (inside_loop() or groups > 1):
            return _conv_products(_pad(inputs, padding), kernel, tuple(strides), tuple(dilation), groups)
        return lax.conv_general_dilated(
            inputs,
            kernel,
            strides,
            padding,
            rhs_dilation=dilation,
            dimension_numbers=_dimension_numbers(len(strides)),
            feature_group_count=groups,
        )

    def conv_transpose_nd(
        self, inputs: Array, kernel: Array, strides: Sequence[int], padding: Padding, dilation: Sequence[int]
    ) -> Array:
        if _as_products():
            drop = tuple((before, after) for before, after in padding)
            return _conv_transpose_products(inputs, kernel, tuple(strides), drop, tuple(dilation))
        axes = tuple(range(len(strides)))
        spans = [d * (kernel.shape[i] - 1) for i, d in enumerate(dilation)]
        return lax.conv_general_dilated(
            inputs,
            jnp.flip(kernel, axes).swapaxes(-1, -2),
            (1,) * len(axes),
            [(span - before, span - after) for span, (before, after) in zip(spans, padding, strict=True)],
            lhs_dilation=strides,
            rhs_dilation=dilation,
            dimension_numbers=_dimension_numbers(len(axes)),
        )

    def max_pool_nd(self, inputs: Array, pool_size: Sequence[int], strides: Sequence[int], padding: Padding) -> Array:
        x = _pad(inputs, padding, _lowest(inputs))
        return _max_pool(x, tuple(pool_size), tuple(strides))

    def average_pool_nd(
        self, inputs: Array, pool_size: Sequence[int], strides: Sequence[int], padding: Padding
    ) -> Array:
        x = _pad(inputs, padding)
        if x.dtype.itemsize < 4:
            x = x.astype("float32")
        counts = np.ones(())
        for i, (n, size, stride, (before, _)) in enumerate(
            zip(inputs.shape[1:-1], pool_size, strides, padding, strict=True)
        ):
            x = _fold_axis(x, i + 1, size, stride, jnp.add)
            starts = np.arange(x.shape[i + 1]) * stride - before
            counts = np.multiply.outer(counts, np.minimum(starts + size, n) - np.maximum(starts, 0))
        return (x / counts[..., None].astype(x.dtype)).astype(inputs.dtype)
