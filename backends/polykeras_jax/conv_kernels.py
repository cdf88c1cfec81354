"""A convolution primitive for the CPU that uses XLA's fast kernels, for its gradients too, and inside loops.

XLA rewrites convolutions into the form that its kernels need only at the entry of a program. JAX's own gradients have
another form, and inside a loop, such as a chunk of training steps, XLA compiles slow plain code for them
(https://github.com/jax-ml/jax/issues/12868). Here the gradients are written in the kernels' form. They are convolutions
of this primitive again, so higher derivatives are fast too.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from polykeras.backend.spec import Array
from polykeras.backend.windows import Padding
from polykeras_jax.arrays import is_whole
from polykeras_jax.conv_products import conv_products
from polykeras_jax.private import CAN_DEFINE_PRIMITIVES, define_product, primitive
from polykeras_jax.traces import current_trace
from polykeras_jax.windows import pad

# With fewer numbers than this under one window, a product with slices of the input is faster than the kernel.
_FEW = 64
_LARGE = 2**24  # the slices are stored, window size times the input: from this size on they take too much memory

_conv = primitive("polykeras_conv")


def has_kernel(x: Array, kernel: Array, groups: int) -> bool:
    """Return whether `conv` should compute a convolution in the program that is being traced."""
    return (
        CAN_DEFINE_PRIMITIVES
        and current_trace().has_convolution_kernels
        and groups == 1
        and x.ndim <= 4
        and x.dtype == kernel.dtype == np.float32
        and is_whole(x)
        and is_whole(kernel)
        and not _is_for_library(kernel)
    )


def _is_for_library(kernel: Array) -> bool:
    """Return whether YNNPACK can fuse a convolution with what follows, which is then faster than the kernel.

    An example is a prediction's first layer on one channel, followed by relu and max pooling. YNNPACK takes no
    convolution with 16 filters or fewer, and none along a single axis.
    """
    *window, _, filters = kernel.shape
    fused = len(window) == 2 and prod(window) > 1 and filters > 16
    return fused and _is_few(kernel) and not current_trace().in_loop


def _is_few(kernel: Array) -> bool:
    return prod(kernel.shape[:-1]) < _FEW


def conv(x: Array, kernel: Array, strides: Sequence[int], padding: Padding, dilation: Sequence[int]) -> Array:
    """Return the convolution of inputs `(batch, *spatial, depth)` with a kernel `(*window, depth, filters)`."""
    cropped = [(min(before, 0), min(after, 0)) for before, after in padding]
    padding = tuple((max(before, 0), max(after, 0)) for before, after in padding)
    return _conv.bind(pad(x, cropped), kernel, strides=tuple(strides), padding=padding, dilation=tuple(dilation))


def dimension_numbers(rank: int) -> tuple[str, str, str]:
    """Return the order of axes of inputs, kernel and outputs, which XLA's kernels use too."""
    axes = "DHW"[-rank:]
    return f"N{axes}C", f"{axes}IO", f"N{axes}C"


def native_conv(
    x: Array,
    kernel: Array,
    *,
    strides: Sequence[int],
    padding: Padding,
    dilation: Sequence[int],
    spread: Sequence[int] | None = None,
    groups: int = 1,
) -> Array:
    """Return JAX's own convolution; `spread` dilates the inputs with zeros, as in a strided convolution's gradient."""
    return lax.conv_general_dilated(
        x,
        kernel,
        strides,
        padding,
        lhs_dilation=spread,
        rhs_dilation=dilation,
        dimension_numbers=dimension_numbers(len(strides)),
        feature_group_count=groups,
    )


def _products(x: Array, kernel: Array, *, strides: Any, padding: Any, dilation: Any) -> Array:
    return conv_products(pad(x, padding), kernel, strides, dilation, 1)


def _compute(x: Array, kernel: Array, *, padding: Any, **geometry: Any) -> Array:
    """Compute a convolution on the CPU; programs are lowered from this function."""
    window, spatial = kernel.shape[:-2], x.shape[1:-1]
    places = prod(window)
    if 0 not in _shape(x, kernel, padding=padding, **geometry):
        if places == 1 or (_is_few(kernel) and x.size * places < _LARGE):
            return _products(x, kernel, padding=padding, **geometry)
        if any(w > n for w, n in zip(window, spatial, strict=True)):
            # Otherwise XLA swaps a small input with its larger kernel, and has no fast kernel for that form.
            x, padding = lax.optimization_barrier(pad(x, padding)), [(0, 0)] * len(window)
    return native_conv(x, kernel, padding=padding, **geometry)


def _shape(x: Any, kernel: Any, *, strides: Any, padding: Any, dilation: Any) -> tuple[int, ...]:
    sizes = [
        max(0, (n + before + after - d * (w - 1) - 1) // s + 1)
        for n, (before, after), w, s, d in zip(x.shape[1:-1], padding, kernel.shape, strides, dilation, strict=False)
    ]
    return (x.shape[0], *sizes, kernel.shape[-1])


def _type(x: Any, kernel: Any, **geometry: Any) -> Any:
    return x.update(shape=_shape(x, kernel, **geometry), weak_type=False)


def _gradient_of_inputs(upstream: Array, x: Any, kernel: Array, *, strides: Any, padding: Any, dilation: Any) -> Array:
    """Return the gradient of the inputs: `upstream`, spread by the strides, convolved with the flipped kernel."""
    if upstream.size == 0:
        return jnp.zeros(x.aval.shape, upstream.dtype)
    rank = len(strides)
    spread = [(0, 0, 0)]
    for n, m, w, s, d, (before, _) in zip(
        x.aval.shape[1:-1], upstream.shape[1:-1], kernel.shape, strides, dilation, padding, strict=False
    ):
        low = d * (w - 1) - before
        spread.append((low, n + d * (w - 1) - (m - 1) * s - 1 - low, s - 1))
    back = lax.optimization_barrier(jnp.flip(kernel, range(rank)).swapaxes(-1, -2))
    whole = lax.pad(upstream, np.zeros((), upstream.dtype), [*spread, (0, 0, 0)])
    return conv(whole, back, (1,) * rank, ((0, 0),) * rank, dilation)


def _gradient_of_kernel(upstream: Array, x: Array, kernel: Any, *, strides: Any, padding: Any, dilation: Any) -> Array:
    """Return the gradient of the kernel: the inputs convolved with `upstream`, with channels and batch swapped."""
    if upstream.size == 0:
        return jnp.zeros(kernel.aval.shape, upstream.dtype)
    rank = len(strides)
    axes = range(1, rank + 1)
    seen = []
    for n, m, w, s, d, (before, _) in zip(
        x.shape[1:-1], upstream.shape[1:-1], kernel.aval.shape, strides, dilation, padding, strict=False
    ):
        seen.append((before, d * (w - 1) + (m - 1) * s + 1 - n - before))
    x, upstream = lax.optimization_barrier((x, upstream))
    rows = lax.optimization_barrier(x.transpose(rank + 1, *axes, 0))
    columns = lax.optimization_barrier(upstream.transpose(*axes, 0, rank + 1))
    return conv(rows, columns, dilation, tuple(seen), strides).transpose(*axes, 0, rank + 1)


def _over_batches(arrays: Any, axes: Any, **geometry: Any) -> tuple[Array, int]:
    """Return the convolutions over an additional batch axis: one convolution of more inputs, or products."""
    x, kernel = arrays
    if axes[1] is None:
        x = jnp.moveaxis(x, axes[0], 0)
        out = _conv.bind(x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]), kernel, **geometry)
        return out.reshape(*x.shape[:2], *out.shape[1:]), 0
    return jax.vmap(partial(_products, **geometry), tuple(axes))(x, kernel), 0


define_product(_conv, native_conv, _compute, _type, (_gradient_of_inputs, _gradient_of_kernel), _over_batches)
