"""Convolutions, pooling, resizing and padding of Keras 2's backend, over `polykeras.ops`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras import ops
from polykeras.common.arguments import int_tuple
from polykeras.config import image_data_format
from polykeras.layers import UpSampling2D


def conv1d(
    x: Any,
    kernel: Any,
    strides: int = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int = 1,
) -> Any:
    """Return a convolution over one axis; padding may be "causal" too."""
    form = data_format or image_data_format()
    if padding == "causal":
        x = temporal_padding(x, (dilation_rate * (ops.shape(kernel)[0] - 1), 0), form)
        padding = "valid"
    return ops.conv(x, kernel, strides, padding, form, dilation_rate)


def conv2d(
    x: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """Return a convolution over two axes, or three."""
    return ops.conv(x, kernel, strides, padding, data_format or image_data_format(), dilation_rate)


conv3d = conv2d  # the same, strides and dilations given for three axes


def conv2d_transpose(
    x: Any,
    kernel: Any,
    output_shape: Sequence[Any],
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    """Return a transposed convolution whose result has a given shape.

    Raises:
        ValueError: no convolution with these strides makes the input's shape of it.
    """
    form = data_format or image_data_format()
    first = 1 if form == "channels_last" else 2
    pairs = zip(int_tuple(strides, 2, "strides"), int_tuple(dilation_rate, 2, "dilation_rate"), strict=True)
    more = []
    for axis, (stride, dilation) in enumerate(pairs):
        size, wanted = ops.shape(x)[first + axis], output_shape[first + axis]
        width = dilation * (ops.shape(kernel)[axis] - 1) + 1
        trimmed = 2 * (width // 2) if padding == "same" else 0
        more.append(None if wanted is None or size is None else wanted - ((size - 1) * stride + width - trimmed))
    known = None if None in more else tuple(more)
    return ops.conv_transpose(x, kernel, strides, padding, known, form, dilation_rate)


def depthwise_conv2d(
    x: Any,
    depthwise_kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    """Return a convolution of each channel by itself."""
    form = data_format or image_data_format()
    return ops.depthwise_conv(x, depthwise_kernel, strides, padding, form, dilation_rate)


def separable_conv2d(
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    """Return a convolution of each channel by itself, then one over the channels."""
    form = data_format or image_data_format()
    return ops.separable_conv(x, depthwise_kernel, pointwise_kernel, strides, padding, form, dilation_rate)


def pool2d(
    x: Any,
    pool_size: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    pool_mode: str = "max",
) -> Any:
    """Return the largest number, or the mean ("avg"), of each window over two axes, or three."""
    if pool_mode not in ("max", "avg"):
        raise ValueError(f"`pool_mode` must be 'max' or 'avg'; received {pool_mode!r}.")
    pool = ops.max_pool if pool_mode == "max" else ops.average_pool
    return pool(x, pool_size, strides, padding, data_format or image_data_format())


pool3d = pool2d


def resize_images(
    x: Any, height_factor: int, width_factor: int, data_format: str | None, interpolation: str = "nearest"
) -> Any:
    """Return images made larger by whole factors."""
    return UpSampling2D((height_factor, width_factor), data_format, interpolation)(x)


def resize_volumes(x: Any, depth_factor: int, height_factor: int, width_factor: int, data_format: str | None) -> Any:
    """Return volumes made larger by whole factors."""
    first = 1 if (data_format or image_data_format()) == "channels_last" else 2
    for axis, factor in enumerate((depth_factor, height_factor, width_factor), first):
        x = ops.repeat(x, factor, axis=axis)
    return x


def temporal_padding(x: Any, padding: Any = (1, 1), data_format: str | None = "channels_last") -> Any:
    """Return sequences with zeros before and after."""
    return _padded(x, (padding,), data_format)


def spatial_2d_padding(x: Any, padding: Any = ((1, 1), (1, 1)), data_format: str | None = None) -> Any:
    """Return images with zeros around."""
    return _padded(x, padding, data_format)


def spatial_3d_padding(x: Any, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None) -> Any:
    """Return volumes with zeros around."""
    return _padded(x, padding, data_format)


def _padded(x: Any, padding: Any, data_format: str | None) -> Any:
    around = [(0, 0), *map(tuple, padding), (0, 0)]
    if (data_format or image_data_format()) == "channels_first":
        around = [(0, 0), (0, 0), *around[1:-1]]
    return ops.pad(x, around)
