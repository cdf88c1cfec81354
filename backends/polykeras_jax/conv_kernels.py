"""A convolution whose gradients are convolutions that XLA has kernels for on the CPU, in loops too.

XLA brings convolutions into the form that its kernels take, but only in the entry of a program: the gradients that JAX
forms of its own take another one, and in a loop, as a chunk of training steps is, plain code computes them instead
(https://github.com/jax-ml/jax/issues/12868). The kernel's gradient of 32 filters of 3x3 on 64 images of 14x14 takes 146
ms so, and 2 ms in the form below (jax 0.10.2, 2 cores). As the gradients are convolutions of this kind again, so are
theirs.
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
from polykeras_jax.compiling import has_convolution_kernels
from polykeras_jax.conv_products import conv_products
from polykeras_jax.loops import inside_loop
from polykeras_jax.private import CAN_DEFINE_PRIMITIVES, define_product, primitive
from polykeras_jax.windows import pad

# Numbers under one place of the window, below which a product with the slices of the input is faster: 64 images of
# 28x28 with one channel and 32 filters of 3x3 take 0.5 ms so, and 1.7 with the kernel; with eight channels 3.1 and 2.4.
_FEW = 64
_LARGE = 2**24  # numbers that those slices must not have: they lie in memory, window times the input

_conv = primitive("polykeras_conv")


def has_kernel(x: Array, kernel: Array, groups: int) -> bool:
    """Return whether a convolution in the program that is traced now is for `conv`: XLA has a kernel, or a product."""
    return (
        CAN_DEFINE_PRIMITIVES
        and has_convolution_kernels()
        and groups == 1
        and x.ndim <= 4
        and x.dtype == kernel.dtype == np.float32
        and is_whole(x)
        and is_whole(kernel)
        and not _is_for_library(kernel)
    )


def _is_for_library(kernel: Array) -> bool:
    """Return whether the library YNNPACK may compute a convolution together with what follows, in less time than alone.

    A prediction's first layer with 32 filters on one channel, a relu and a maximum of windows take two thirds of the
    time so. The library takes no convolution of 16 filters or fewer, and none along one axis.
    """
    *window, _, filters = kernel.shape
    fused = len(window) == 2 and prod(window) > 1 and filters > 16
    return fused and _is_few(kernel) and not inside_loop()


def _is_few(kernel: Array) -> bool:
    return prod(kernel.shape[:-1]) < _FEW


def conv(x: Array, kernel: Array, strides: Sequence[int], padding: Padding, dilation: Sequence[int]) -> Array:
    """Return the convolution of `(batch, *spatial, depth)` and `(*window, depth, filters)`."""
    cropped = [(min(before, 0), min(after, 0)) for before, after in padding]
    padding = tuple((max(before, 0), max(after, 0)) for before, after in padding)
    return _conv.bind(pad(x, cropped), kernel, strides=tuple(strides), padding=padding, dilation=tuple(dilation))


def dimension_numbers(rank: int) -> tuple[str, str, str]:
    """Return the order of axes that is ours, and that of XLA's kernels."""
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
    """Return the convolution as JAX has it; the inputs may be spread by zeros, as between strides."""
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
    """Compute a convolution on the CPU: what a program is made of."""
    window, spatial = kernel.shape[:-2], x.shape[1:-1]
    places = prod(window)
    if 0 not in _shape(x, kernel, padding=padding, **geometry):
        if places == 1 or (_is_few(kernel) and x.size * places < _LARGE):
            return _products(x, kernel, padding=padding, **geometry)
        if any(w > n for w, n in zip(window, spatial, strict=True)):
            # Else XLA exchanges a small input and its larger kernel, for which it has no kernel: 529 ms for 10.
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
    """Return the convolution of the upstream, spread by the strides, with the kernel from back to front."""
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
    """Return the convolution of the inputs with the upstream, in which channels and batch change places."""
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
    """Return the convolutions over a further axis: as one of more inputs, or as products."""
    x, kernel = arrays
    if axes[1] is None:
        x = jnp.moveaxis(x, axes[0], 0)
        out = _conv.bind(x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]), kernel, **geometry)
        return out.reshape(*x.shape[:2], *out.shape[1:]), 0
    return jax.vmap(partial(_products, **geometry), tuple(axes))(x, kernel), 0


define_product(_conv, native_conv, _compute, _type, (_gradient_of_inputs, _gradient_of_kernel), _over_batches)
