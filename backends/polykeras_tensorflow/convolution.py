"""Convolution and pooling.

TensorFlow's CPU kernels have no gradient for dilated or grouped convolutions. Both are composed from plain ones, so
that gradients of every order exist on every device. A dilated convolution is a plain one on each of the interleaved
grids (`SpaceToBatchND`), and a grouped one is a plain one on each part of the channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import tensorflow as tf

from polykeras.backend.axes import is_below
from polykeras.backend.families.convolution import Convolution
from polykeras.backend.spec import Array
from polykeras.backend.windows import Padding
from polykeras_tensorflow.elementwise import scalar_like
from polykeras_tensorflow.pooling import max_pool_images
from polykeras_tensorflow.sizes import sizes_of

raw = tf.raw_ops


def _pad(x: Array, padding: Padding, value: float = 0) -> Array:
    """Return `x` with its spatial axes padded; negative numbers crop."""
    if any(is_below(n, 0) for around in padding for n in around):
        batch, *sizes, channels = sizes_of(x)
        begin = [0, *(max(0, -before) for before, _ in padding), 0]
        kept = [n - max(0, -b) - max(0, -a) for n, (b, a) in zip(sizes, padding, strict=True)]
        x = raw.Slice(input=x, begin=begin, size=[batch, *kept, channels])
        padding = [(max(0, before), max(0, after)) for before, after in padding]
    if all(n == 0 for around in padding for n in around):
        return x
    return raw.PadV2(input=x, paddings=[(0, 0), *padding, (0, 0)], constant_values=scalar_like(value, x))


def _images(x: Array, kernel: Array, strides: Sequence[int]) -> tuple[Array, Array, Sequence[int]]:
    """Return sequences as images of height 1."""
    return tf.expand_dims(x, 1), tf.expand_dims(kernel, 0), (1, *strides)


def _plain(x: Array, kernel: Array, strides: Sequence[int]) -> Array:
    """Return the convolution without padding, dilation or groups."""
    if len(strides) == 1:
        return tf.squeeze(_plain(*_images(x, kernel, strides)), 1)
    op = raw.Conv2D if len(strides) == 2 else raw.Conv3D
    return op(input=x, filter=kernel, strides=[1, *strides, 1], padding="VALID")


def _depthwise(x: Array, kernel: Array, strides: Sequence[int]) -> Array:
    """Return the convolution of each channel of images with its own kernels, without padding or dilation."""
    if len(strides) == 1:
        return tf.squeeze(_depthwise(*_images(x, kernel, strides)), 1)
    channels = x.shape[-1]
    kernel = raw.Reshape(tensor=kernel, shape=(*kernel.shape[:2], channels, kernel.shape[-1] // channels))
    step = max(strides)
    if min(strides) == step:
        return raw.DepthwiseConv2dNative(input=x, filter=kernel, strides=[1, step, step, 1], padding="VALID")
    dense = raw.DepthwiseConv2dNative(input=x, filter=kernel, strides=[1, 1, 1, 1], padding="VALID")
    return dense[:, :: strides[0], :: strides[1]]  # the kernel supports only one stride


def _grouped(x: Array, kernel: Array, strides: Sequence[int], groups: int) -> Array:
    """Return the grouped convolution without padding or dilation."""
    if groups == 1:
        return _plain(x, kernel, strides)
    if groups == x.shape[-1] and len(strides) < 3:
        return _depthwise(x, kernel, strides)
    parts = zip(tf.split(x, groups, -1), tf.split(kernel, groups, -1), strict=True)
    return tf.concat([_plain(part, weights, strides) for part, weights in parts], -1)


def _stuffed(x: Array, strides: Sequence[int]) -> Array:
    """Return `x` with `stride - 1` zeros between neighbours along each spatial axis."""
    for axis, stride in enumerate(strides, start=1):
        if stride > 1:
            shape = x.shape.as_list()
            n = shape[axis]
            x = tf.expand_dims(x, axis + 1)
            paddings = [(0, stride - 1) if a == axis + 1 else (0, 0) for a in range(len(shape) + 1)]
            x = raw.Reshape(tensor=tf.pad(x, paddings), shape=(*shape[:axis], n * stride, *shape[axis + 1 :]))
            x = raw.Slice(
                input=x, begin=[0] * len(shape), size=[*shape[:axis], (n - 1) * stride + 1, *shape[axis + 1 :]]
            )
    return x


class TensorflowConvolution(Convolution):
    """Windows over 1 to 3 spatial axes."""

    def conv_nd(
        self,
        inputs: Array,
        kernel: Array,
        strides: Sequence[int],
        padding: Padding,
        dilation: Sequence[int],
        groups: int = 1,
    ) -> Array:
        if inputs.dtype.is_integer:
            return self._by_floats(self.conv_nd, inputs, kernel, strides, padding, dilation, groups)
        if inputs.shape[0] == 0:  # oneDNN's kernels would return the shape of the inputs
            spans = [d * (k - 1) + 1 for k, d in zip(kernel.shape[:-2], dilation, strict=True)]
            windows = zip(inputs.shape[1:-1], padding, spans, strides, strict=True)
            sizes = [(n + before + after - span) // step + 1 for n, (before, after), span, step in windows]
            return tf.zeros((0, *sizes, kernel.shape[-1]), inputs.dtype)
        if max(dilation) == 1:
            return _grouped(_pad(inputs, padding), kernel, strides, groups)
        sizes = [n + before + after for n, (before, after) in zip(inputs.shape[1:-1], padding, strict=True)]
        # Each grid needs the same size: pad at the end, and crop the result.
        fill = [-n % d for n, d in zip(sizes, dilation, strict=True)]
        x = raw.SpaceToBatchND(
            input=inputs,
            block_shape=list(dilation),
            paddings=[(before, after + more) for (before, after), more in zip(padding, fill, strict=True)],
        )
        x = _grouped(x, kernel, [1] * len(strides), groups)
        crops = [(0, more) for more in fill]
        x = raw.BatchToSpaceND(input=x, block_shape=list(dilation), crops=crops)
        if max(strides) == 1:
            return x
        return x[(slice(None), *(slice(None, None, stride) for stride in strides))]

    def _by_floats(self, conv: Callable[..., Array], inputs: Array, kernel: Array, *geometry: Any) -> Array:
        """Return a convolution of integers, which have no kernels, computed in floats: exact up to 2**53."""
        result = conv(raw.Cast(x=inputs, DstT=tf.float64), raw.Cast(x=kernel, DstT=tf.float64), *geometry)
        return raw.Cast(x=raw.Cast(x=result, DstT=tf.int64), DstT=inputs.dtype)  # the second cast wraps around

    def conv_transpose_nd(
        self, inputs: Array, kernel: Array, strides: Sequence[int], padding: Padding, dilation: Sequence[int]
    ) -> Array:
        if inputs.dtype.is_integer:
            return self._by_floats(self.conv_transpose_nd, inputs, kernel, strides, padding, dilation)
        crops = [(-before, -after) for before, after in padding]
        if max(dilation) > 1:  # a convolution of the stuffed inputs with the mirrored kernel
            spans = [d * (k - 1) for k, d in zip(kernel.shape[:-2], dilation, strict=True)]
            ndim = len(strides)
            mirrored = self.transpose(self.flip(kernel, range(ndim)), [*range(ndim), ndim + 1, ndim])
            full = [(span + before, span + after) for span, (before, after) in zip(spans, crops, strict=True)]
            return self.conv_nd(_pad(_stuffed(inputs, strides), full), mirrored, [1] * ndim, [(0, 0)] * ndim, dilation)
        return _pad(_plain_transpose(inputs, kernel, strides), crops)

    def max_pool_nd(self, inputs: Array, pool_size: Sequence[int], strides: Sequence[int], padding: Padding) -> Array:
        lowest = -np.inf if inputs.dtype.is_floating else inputs.dtype.min
        x = _pad(inputs, padding, lowest)
        if len(pool_size) == 1:
            return tf.squeeze(_max_pool(tf.expand_dims(x, 1), (1, *pool_size), (1, *strides)), 1)
        return _max_pool(x, pool_size, strides)

    def average_pool_nd(
        self, inputs: Array, pool_size: Sequence[int], strides: Sequence[int], padding: Padding
    ) -> Array:
        if len(pool_size) == 1:
            images = tf.expand_dims(inputs, 1)
            return tf.squeeze(self.average_pool_nd(images, (1, *pool_size), (1, *strides), [(0, 0), *padding]), 1)
        means = _means(_pad(inputs, padding), pool_size, strides)
        if all(n == 0 for around in padding for n in around):
            return means
        if None in inputs.shape[1:-1]:  # the unpadded share of a window is known only when the graph runs
            return means / _means(_pad(tf.ones_like(inputs[:1, ..., :1]), padding), pool_size, strides)
        return means * self.host_constant(_inverse_share(inputs, pool_size, strides, padding), means.dtype.name)


def _plain_transpose(x: Array, kernel: Array, strides: Sequence[int]) -> Array:
    """Return the gradient of `_plain` in its input, at full size."""
    if len(strides) == 1:
        return tf.squeeze(_plain_transpose(*_images(x, kernel, strides)), 1)
    batch, *sizes, _ = sizes_of(x)
    spatial = [(n - 1) * s + k for n, s, k in zip(sizes, strides, kernel.shape[:-2], strict=True)]
    arguments: dict[str, Any] = {
        "input_sizes": [batch, *spatial, kernel.shape[-2]],
        "filter": kernel,
        "out_backprop": x,
        "strides": [1, *strides, 1],
        "padding": "VALID",
    }
    return raw.Conv2DBackpropInput(**arguments) if len(strides) == 2 else raw.Conv3DBackpropInputV2(**arguments)


def _means(x: Array, pool_size: Sequence[int], strides: Sequence[int]) -> Array:
    """Return the mean of each window of images or volumes, without padding."""
    window: dict[str, Any] = {"ksize": [1, *pool_size, 1], "strides": [1, *strides, 1], "padding": "VALID"}
    if len(pool_size) == 2:
        return raw.AvgPool(value=x, **window)
    # The kernel exists only for float32.
    return raw.Cast(x=raw.AvgPool3D(input=raw.Cast(x=x, DstT=tf.float32), **window), DstT=x.dtype)


def _max_pool(x: Array, pool_size: Sequence[int], strides: Sequence[int]) -> Array:
    """Return the maximum of each window, without padding."""
    if len(pool_size) == 2 and x.dtype.is_floating:
        return max_pool_images(x, pool_size, strides)
    # The maximum over slices, one for each position in the window. Of equal values, the first one wins.
    counts = [(n - k) // s + 1 for n, k, s in zip(sizes_of(x)[1:-1], pool_size, strides, strict=True)]
    best = None
    for place in product(*map(range, pool_size)):
        spans = zip(place, counts, strides, strict=True)
        part = x[(slice(None), *(slice(p, p + (count - 1) * s + 1, s) for p, count, s in spans))]
        wins = best is None or raw.LogicalOr(x=raw.Greater(x=part, y=best), y=raw.NotEqual(x=part, y=part))
        best = part if best is None else raw.SelectV2(condition=wins, t=part, e=best)
    return best


def _inverse_share(x: Array, pool_size: Sequence[int], strides: Sequence[int], padding: Padding) -> np.ndarray:
    """Return, for each window, its size divided by the number of its unpadded elements."""
    result = np.ones((1,) * (len(pool_size) + 2))
    for axis, (size, pool, stride, (before, after)) in enumerate(
        zip(x.shape[1:-1], pool_size, strides, padding, strict=True), start=1
    ):
        first = np.arange(0, size + before + after - pool + 1, stride)
        inside = np.minimum(first + pool, before + size) - np.maximum(first, before)
        along = [-1 if a == axis else 1 for a in range(len(pool_size) + 2)]
        result = result * (pool / inside).reshape(along)
    return result
