"""Convolution and pooling on JAX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from polykeras import fast
from polykeras.backend.families.convolution import Convolution
from polykeras.backend.spec import Array
from polykeras.backend.windows import Padding
from polykeras_jax.arrays import on_cpu
from polykeras_jax.conv_kernels import conv, has_kernel, native_conv
from polykeras_jax.conv_products import conv_products, conv_transpose_products
from polykeras_jax.traces import current_trace
from polykeras_jax.windows import along, pad


def _fold_axis(x: Array, axis: int, size: int, stride: int, combine: Callable[[Array, Array], Array]) -> Array:
    """Reduce the windows along one axis, from front to back."""
    if stride == size:  # windows that tile the axis are a view: cheaper than strided slices, also in the gradient
        count = x.shape[axis] // size
        x = lax.slice_in_dim(x, 0, count * size, axis=axis)
        x = x.reshape(*x.shape[:axis], count, size, *x.shape[axis + 1 :])
        parts = [lax.index_in_dim(x, i, axis + 1, keepdims=False) for i in range(size)]
    else:
        parts = along(x, axis, size, stride)
    total = parts[0]
    for part in parts[1:]:
        total = combine(total, part)
    return total


def _first_max(a: Array, b: Array) -> Array:
    """Return the larger of two values; the gradient of a tie goes to `a`, and nan is larger than all numbers."""
    keep = a >= b
    if jnp.issubdtype(a.dtype, jnp.inexact):
        keep |= jnp.isnan(a)
    return jnp.where(keep, a, b)


def _lowest(x: Array) -> Any:
    return -jnp.inf if jnp.issubdtype(x.dtype, jnp.inexact) else jnp.iinfo(x.dtype).min


def _folded(
    x: Array, pool_size: tuple[int, ...], strides: tuple[int, ...], combine: Callable[[Array, Array], Array]
) -> Array:
    """Reduce windows axis by axis, the last axis first.

    Of equal maxima, the first in row-major order is then the first in the first row that contains it.
    """
    for axis in reversed(range(len(pool_size))):
        x = _fold_axis(x, axis + 1, pool_size[axis], strides[axis], combine)
    return x


def _tiles(x: Array, pool_size: tuple[int, ...]) -> Array:
    """Return windows that tile `x`, with two axes for each spatial axis: `(batch, *(count, size), channels)`."""
    counts = [n // size for n, size in zip(x.shape[1:-1], pool_size, strict=True)]
    used = [slice(count * size) for count, size in zip(counts, pool_size, strict=True)]
    return x[:, *used].reshape(x.shape[0], *chain(*zip(counts, pool_size, strict=True)), x.shape[-1])


@partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def _max_pool(x: Array, pool_size: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    """Return the maxima of windows.

    In loops, reducing axis by axis is faster. But XLA repeats that computation for each consumer, such as the gradient
    of a convolution kernel. With convolution kernels, and outside of loops, XLA's own operation is used: its result is
    stored, and a library may fuse it with the convolution before it.
    """
    if current_trace().in_loop and not current_trace().has_convolution_kernels:
        return _folded(x, pool_size, strides, lax.max)
    low = np.asarray(_lowest(x), x.dtype)
    return lax.reduce_window(x, low, lax.max, (1, *pool_size, 1), (1, *strides, 1), "VALID")


@_max_pool.defjvp
def _max_pool_jvp(pool_size: Any, strides: Any, primals: Any, tangents: Any) -> Any:
    """Give the gradient to the first of equal maxima in row-major order; nan is larger than all numbers."""
    if pool_size != strides:
        return jax.jvp(lambda x: _folded(x, pool_size, strides, _first_max), primals, tangents)
    out = _max_pool(*primals, pool_size, strides)
    # This takes one comparison for each place, and the folded maximum takes two selections. Places are floats, because
    # the CPU's library reduces only floats.
    x, tangent = (_tiles(part, pool_size) for part in (*primals, *tangents))
    axes = tuple(range(2, x.ndim - 1, 2))
    places = _tiles(np.arange(prod(pool_size), dtype="float32").reshape(1, *pool_size, 1), pool_size)
    largest = x == jnp.expand_dims(out, axes)
    if jnp.issubdtype(x.dtype, jnp.inexact):
        largest |= jnp.isnan(x)
    first = jnp.where(largest, places, np.float32(places.size)).min(axes, keepdims=True)
    return out, jnp.where(places == first, tangent, 0).sum(axes)


def _as_products() -> bool:
    """Return whether to write convolutions as products if XLA has no fast kernel for them.

    Inside loops these are all convolutions that `conv_kernels.py` does not take; elsewhere those with groups or with
    spread inputs (https://github.com/jax-ml/jax/issues/12868).
    """
    return on_cpu() and fast.enabled("convolution-products")


class JaxConvolution(Convolution):
    """See `polykeras.backend.families.convolution`."""

    def conv_nd(
        self,
        inputs: Array,
        kernel: Array,
        strides: Sequence[int],
        padding: Padding,
        dilation: Sequence[int],
        groups: int = 1,
    ) -> Array:
        if has_kernel(inputs, kernel, groups):
            return conv(inputs, kernel, strides, padding, dilation)
        if _as_products() and (current_trace().in_loop or groups > 1):
            return conv_products(pad(inputs, padding), kernel, tuple(strides), tuple(dilation), groups)
        return native_conv(inputs, kernel, strides=strides, padding=padding, dilation=dilation, groups=groups)

    def conv_transpose_nd(
        self, inputs: Array, kernel: Array, strides: Sequence[int], padding: Padding, dilation: Sequence[int]
    ) -> Array:
        if _as_products():
            drop = tuple((before, after) for before, after in padding)
            return conv_transpose_products(inputs, kernel, tuple(strides), drop, tuple(dilation))
        axes = tuple(range(len(strides)))
        spans = [d * (kernel.shape[i] - 1) for i, d in enumerate(dilation)]
        return native_conv(
            inputs,
            jnp.flip(kernel, axes).swapaxes(-1, -2),
            strides=(1,) * len(axes),
            padding=[(span - before, span - after) for span, (before, after) in zip(spans, padding, strict=True)],
            dilation=dilation,
            spread=strides,
        )

    def max_pool_nd(self, inputs: Array, pool_size: Sequence[int], strides: Sequence[int], padding: Padding) -> Array:
        x = pad(inputs, padding, _lowest(inputs))
        return _max_pool(x, tuple(pool_size), tuple(strides))

    def average_pool_nd(
        self, inputs: Array, pool_size: Sequence[int], strides: Sequence[int], padding: Padding
    ) -> Array:
        x = pad(inputs, padding)
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
