"""Convolutions, pooling, resizing and padding of Keras 2's backend, over `polykeras.ops`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common.arguments import int_tuple
from polykeras.common.types import ArrayLike
from polykeras.config import image_data_format
from polykeras.layers import UpSampling2D


def conv1d(
    x: ArrayLike,
    kernel: ArrayLike,
    strides: int = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int = 1,
) -> Array:
    """Return a convolution over one axis. The padding may also be "causal".

    Args:
        x: `(batch, time, channels)`, or channels first by `data_format`.
        kernel: `(*window, channels, filters)`.
        strides: the distance between neighbouring windows.
        padding: `"valid"`, `"same"` or `"causal"`.
        data_format: the position of the channels; by default the configured one.
        dilation_rate: the distance between the elements of a window.
    """
    form = data_format or image_data_format()
    if padding == "causal":
        x = temporal_padding(x, (dilation_rate * (ops.shape(kernel)[0] - 1), 0), form)
        padding = "valid"
    return ops.conv(x, kernel, strides, padding, form, dilation_rate)


def conv2d(
    x: ArrayLike,
    kernel: ArrayLike,
    strides: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int | Sequence[int] = 1,
) -> Array:
    """Return a convolution over two or three axes.

    Args:
        x: `(batch, *space, channels)`, or channels first by `data_format`.
        kernel: `(*window, channels, filters)`.
        strides: the distance between neighbouring windows.
        padding: `"valid"` or `"same"`.
        data_format: the position of the channels; by default the configured one.
        dilation_rate: the distance between the elements of a window.
    """
    return ops.conv(x, kernel, strides, padding, data_format or image_data_format(), dilation_rate)


conv3d = conv2d  # the same, with strides and dilations for three axes


def conv2d_transpose(
    x: ArrayLike,
    kernel: ArrayLike,
    output_shape: Sequence[Any],
    strides: int | Sequence[int] = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int | Sequence[int] = (1, 1),
) -> Array:
    """Return a transposed convolution whose result has a given shape.

    Args:
        x: `(batch, *space, channels)`, or channels first by `data_format`.
        kernel: `(*window, filters, channels)`.
        output_shape: the full shape, including the batch and the channels.
        strides: the distance between neighbouring windows.
        padding: `"valid"` or `"same"`.
        data_format: the position of the channels; by default the configured one.
        dilation_rate: the distance between the elements of a window.

    Raises:
        ValueError: if no convolution with these strides maps it to the shape of the input.
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
    x: ArrayLike,
    depthwise_kernel: ArrayLike,
    strides: int | Sequence[int] = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int | Sequence[int] = (1, 1),
) -> Array:
    """Return a convolution of each channel with its own kernels.

    Args:
        x: `(batch, height, width, channels)`, or channels first by `data_format`.
        depthwise_kernel: `(height, width, channels, multiplier)`.
        strides: the distance between neighbouring windows.
        padding: `"valid"` or `"same"`.
        data_format: the position of the channels; by default the configured one.
        dilation_rate: the distance between the elements of a window.
    """
    form = data_format or image_data_format()
    return ops.depthwise_conv(x, depthwise_kernel, strides, padding, form, dilation_rate)


def separable_conv2d(
    x: ArrayLike,
    depthwise_kernel: ArrayLike,
    pointwise_kernel: ArrayLike,
    strides: int | Sequence[int] = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int | Sequence[int] = (1, 1),
) -> Array:
    """Return a depthwise convolution, followed by a convolution over the channels.

    Args:
        x: `(batch, height, width, channels)`, or channels first by `data_format`.
        depthwise_kernel: `(height, width, channels, multiplier)`.
        pointwise_kernel: `(1, 1, channels * multiplier, filters)`.
        strides: the distance between neighbouring windows.
        padding: `"valid"` or `"same"`.
        data_format: the position of the channels; by default the configured one.
        dilation_rate: the distance between the elements of a window.
    """
    form = data_format or image_data_format()
    return ops.separable_conv(x, depthwise_kernel, pointwise_kernel, strides, padding, form, dilation_rate)


def pool2d(
    x: ArrayLike,
    pool_size: int | Sequence[int],
    strides: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
    pool_mode: str = "max",
) -> Array:
    """Return the maximum or the mean of each window over two or three axes.

    Args:
        x: `(batch, *space, channels)`, or channels first by `data_format`.
        pool_size: the size of the window.
        strides: the distance between neighbouring windows.
        padding: `"valid"` or `"same"`.
        data_format: the position of the channels; by default the configured one.
        pool_mode: `"max"` or `"avg"`.

    Raises:
        ValueError: if the mode is unknown.
    """
    if pool_mode not in ("max", "avg"):
        raise ValueError(f"`pool_mode` must be 'max' or 'avg'; received {pool_mode!r}.")
    pool = ops.max_pool if pool_mode == "max" else ops.average_pool
    return pool(x, pool_size, strides, padding, data_format or image_data_format())


pool3d = pool2d


def resize_images(
    x: ArrayLike, height_factor: int, width_factor: int, data_format: str | None, interpolation: str = "nearest"
) -> Array:
    """Return images enlarged by integer factors.

    Args:
        x: `(batch, height, width, channels)`, or channels first by `data_format`.
        height_factor: an int.
        width_factor: an int.
        data_format: the position of the channels; by default the configured one.
        interpolation: `"nearest"` or `"bilinear"`.
    """
    return UpSampling2D((height_factor, width_factor), data_format, interpolation)(x)


def resize_volumes(
    x: ArrayLike, depth_factor: int, height_factor: int, width_factor: int, data_format: str | None
) -> Array:
    """Return volumes enlarged by integer factors.

    Args:
        x: `(batch, *space, channels)`, or channels first by `data_format`.
        depth_factor: an int.
        height_factor: an int.
        width_factor: an int.
        data_format: the position of the channels; by default the configured one.
    """
    first = 1 if (data_format or image_data_format()) == "channels_last" else 2
    for axis, factor in enumerate((depth_factor, height_factor, width_factor), first):
        x = ops.repeat(x, factor, axis=axis)
    return x


def temporal_padding(x: ArrayLike, padding: Any = (1, 1), data_format: str | None = "channels_last") -> Array:
    """Return sequences padded with zeros.

    Args:
        x: `(batch, time, channels)`.
        padding: the numbers of zeros before and after.
        data_format: the position of the channels; by default the configured one.
    """
    return _padded(x, (padding,), data_format)


def spatial_2d_padding(x: ArrayLike, padding: Any = ((1, 1), (1, 1)), data_format: str | None = None) -> Array:
    """Return images padded with zeros.

    Args:
        x: `(batch, height, width, channels)`, or channels first by `data_format`.
        padding: the numbers of zeros before and after, for each axis.
        data_format: the position of the channels; by default the configured one.
    """
    return _padded(x, padding, data_format)


def spatial_3d_padding(x: ArrayLike, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None) -> Array:
    """Return volumes padded with zeros.

    Args:
        x: `(batch, *space, channels)`, or channels first by `data_format`.
        padding: the numbers of zeros before and after, for each axis.
        data_format: the position of the channels; by default the configured one.
    """
    return _padded(x, padding, data_format)


def _padded(x: ArrayLike, padding: Any, data_format: str | None) -> Array:
    around = [(0, 0), *map(tuple, padding), (0, 0)]
    if (data_format or image_data_format()) == "channels_first":
        around = [(0, 0), (0, 0), *around[1:-1]]
    return ops.pad(x, around)
