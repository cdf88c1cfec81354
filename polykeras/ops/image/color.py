"""Colours of images: grey, and hue, saturation and value."""

from __future__ import annotations

from polykeras import dtypes, ops
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike
from polykeras.ops.image.layout import as_images, channel_axis, float_dtype, image_op

_LUMINANCE = (0.2989, 0.5870, 0.1140)
"""How bright red, green and blue appear: ITU-R BT.601."""


@image_op
def rgb_to_grayscale(images: ArrayLike, data_format: str | None = None) -> Array:
    """Return the luminance of colour images, `0.2989 r + 0.587 g + 0.114 b` (ITU-R BT.601).

    Args:
        images: one image `(height, width, 3)` or a batch of them; or channels first. Images with one channel
            are not changed.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.

    Returns:
        Images of one channel, of the same dtype; integers are truncated.

    Raises:
        ValueError: if the number of channels is wrong.
    """
    images = as_images(images, "rgb_to_grayscale")
    axis, shape, dtype = channel_axis(images, data_format), ops.shape(images), ops.dtype(images)
    if shape[axis] == 1:
        return images
    if shape[axis] != 3:
        raise ValueError(f"rgb_to_grayscale: expected 3 channels (or 1); received the shape {shape}.")
    work = float_dtype(dtype)
    weights = ops.convert_to_tensor(_LUMINANCE, work)
    gray = ops.tensordot(ops.cast(images, work), weights, ((axis,), (0,)))
    return ops.cast(ops.expand_dims(gray, axis), dtype)


def _planes(images: ArrayLike, op: str, data_format: str | None) -> tuple[list[Array], int]:
    images = as_images(images, op)
    dtype = ops.dtype(images)
    axis = channel_axis(images, data_format)
    if not dtypes.is_float(dtype) or ops.shape(images)[axis] != 3:
        raise ValueError(
            f"{op}: expected floats with 3 channels along axis {axis}; received {dtype} of the shape "
            f"{ops.shape(images)}."
        )
    return ops.unstack(images, axis=axis), axis


@image_op
def rgb_to_hsv(images: ArrayLike, data_format: str | None = None) -> Array:
    """Return the hue, saturation and value of colour images (Smith, 1978).

    Args:
        images: floats from 0 to 1: one image `(height, width, 3)` or a batch of them; or channels first.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.

    Returns:
        Floats of the same shape, from 0 to 1. Red has hue 0, green 1/3, blue 2/3.

    Raises:
        ValueError: if the dtype is not a float dtype, or there are not 3 channels.
    """
    planes, axis = _planes(images, "rgb_to_hsv", data_format)
    tiny = dtypes.eps(ops.dtype(planes[0]))
    r, g, b = (ops.where(ops.absolute(plane) < tiny, 0.0, plane) for plane in planes)
    value = ops.maximum(ops.maximum(r, g), b)
    spread = value - ops.minimum(ops.minimum(r, g), b)
    saturation = ops.where(value > 0, spread / ops.where(value > 0, value, 1.0), 0.0)
    unit = 1.0 / (6.0 * ops.where(spread > 0, spread, 1.0))
    hue = ops.where(value == g, unit * (b - r) + 2.0 / 6.0, unit * (r - g) + 4.0 / 6.0)
    hue = ops.where(value == r, unit * (g - b), hue)
    hue = ops.where(spread > 0, hue, 0.0)
    parts = [ops.where(hue < 0, hue + 1.0, hue), saturation, value]
    return ops.cast(ops.stack(parts, axis=axis), ops.dtype(planes[0]))


@image_op
def hsv_to_rgb(images: ArrayLike, data_format: str | None = None) -> Array:
    """Return the colour images with a given hue, saturation and value: the inverse of `rgb_to_hsv`.

    Args:
        images: floats: one image `(height, width, 3)` or a batch of them; or channels first. Whole numbers may be added
            to the hue.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.

    Returns:
        Red, green and blue, of the same shape.

    Raises:
        ValueError: if the dtype is not a float dtype, or there are not 3 channels.
    """
    (hue, saturation, value), axis = _planes(images, "hsv_to_rgb", data_format)
    sixths = ops.mod(hue, 1.0) * 6.0
    pure = (
        ops.clip(ops.absolute(sixths - 3.0) - 1.0, 0.0, 1.0),
        ops.clip(2.0 - ops.absolute(sixths - 2.0), 0.0, 1.0),
        ops.clip(2.0 - ops.absolute(sixths - 4.0), 0.0, 1.0),
    )
    colors = [value * (1.0 - saturation + saturation * part) for part in pure]
    return ops.cast(ops.stack(colors, axis=axis), ops.dtype(hue))
