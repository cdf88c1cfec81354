"""Resizing, cropping and padding of images."""

from __future__ import annotations

from collections.abc import Sequence

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common.arguments import int_tuple, one_of
from polykeras.common.types import ArrayLike
from polykeras.ops.image.layout import as_images, cut, float_dtype, image_op, rounded, space_axes
from polykeras.ops.interpolation import INTERPOLATIONS, resize_axis


def crop_box(size: Sequence[int], target: Sequence[int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return `(start, size)` along height and width for the largest centred box with the target's aspect ratio."""
    (height, width), (to_height, to_width) = size, target
    cut = max(min(height, int(width * to_height / to_width)), 1), max(min(width, int(height * to_width / to_height)), 1)
    return (int((height - cut[0]) / 2), cut[0]), (int((width - cut[1]) / 2), cut[1])


def _pad_widths(size: Sequence[int], target: Sequence[int]) -> tuple[int, int]:
    """Return how much to add at each end of height and width, so that the image has the target's aspect ratio.

    Only one of them grows. If it would grow by an odd number, one pixel less is added, as in Keras.
    """
    (height, width), (to_height, to_width) = size, target
    rows = int((max(height, int(width * to_height / to_width)) - height) / 2)
    columns = int((max(width, int(height * to_width / to_height)) - width) / 2)
    return (rows, 0) if rows else (0, columns)


@image_op
def resize(
    images: ArrayLike,
    size: Sequence[int],
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Array:
    """Return images in another size.

    Pixels are squares with the value at their centre, as in the newer functions of the frameworks.

    Args:
        images: one image `(height, width, channels)` or a batch `(batch, height, width, channels)`; or channels first.
        size: the new `(height, width)`.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"` (Keys, a = -1/2), `"lanczos3"`, `"lanczos5"`, or `"area"`,
            the mean of everything that a pixel of the result covers.
        antialias: whether to widen the kernel if images shrink, so that all pixels count.
        crop_to_aspect_ratio: whether to first crop the images, centred, to the aspect ratio of `size`.
        pad_to_aspect_ratio: whether to first pad the images to the aspect ratio of `size`.
        fill_mode: how to pad; only `"constant"` is supported.
        fill_value: the value to pad with.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.

    Returns:
        The resized images, with the dtype of `images`; integers are rounded.

    Raises:
        ValueError: if the interpolation or fill mode is unknown, a size is invalid, or both aspect options are set.
    """
    images = as_images(images, "resize")
    target = int_tuple(tuple(size), 2, "size")
    one_of(interpolation, INTERPOLATIONS, "resize: `interpolation`")
    if fill_mode != "constant":
        raise ValueError(f"resize: `fill_mode` must be 'constant'; received {fill_mode!r}.")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("resize: only one of `crop_to_aspect_ratio` and `pad_to_aspect_ratio` can be True.")
    axes = space_axes(images, data_format)
    shape = ops.shape(images)
    if crop_to_aspect_ratio:
        (top, height), (left, width) = crop_box([shape[a] for a in axes], target)
        images = cut(images, {axes[0]: (top, top + height), axes[1]: (left, left + width)})
    elif pad_to_aspect_ratio:
        widths = [(0, 0)] * len(shape)
        for axis, width in zip(axes, _pad_widths([shape[a] for a in axes], target), strict=True):
            widths[axis] = (width, width)
        images = ops.pad(images, widths, constant_values=fill_value)
    dtype = ops.dtype(images)
    if interpolation != "nearest":
        images = ops.cast(images, float_dtype(dtype))
    for axis, length in zip(axes, target, strict=True):
        if ops.shape(images)[axis] != length:
            images = resize_axis(images, axis, length, interpolation, antialias)
    return rounded(images, dtype)


def _margins(op: str, names: Sequence[str], values: Sequence[int | None], room: int) -> tuple[int, int]:
    """Return the margins before and after, from two of three values: both margins, or one and the size of the result.

    Args:
        op: the name of the op, for messages.
        names: the names of the three arguments.
        values: the values of the three arguments.
        room: the sum of both margins, if the size of the result is given.
    """
    before, after, _ = values
    if values.count(None) != 1 or any(value is not None and value < 0 for value in values):
        raise ValueError(f"{op}: give exactly two of {', '.join(names)}, none negative; received {tuple(values)}.")
    if before is None:
        before = room - (after or 0)
    if after is None:
        after = room - before
    if before < 0 or after < 0:
        given = ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True) if value is not None)
        raise ValueError(f"{op}: {given} would make a margin negative: the images do not fit.")
    return before, after


_ROWS = ("top_{}", "bottom_{}", "target_height")
_COLUMNS = ("left_{}", "right_{}", "target_width")


@image_op
def pad_images(
    images: ArrayLike,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Array:
    """Return images padded with zeros.

    Args:
        images: one image or a batch, see `resize`.
        top_padding: the number of rows above.
        left_padding: the number of columns to the left.
        bottom_padding: the number of rows below.
        right_padding: the number of columns to the right.
        target_height: the height of the result. Give exactly two of this, `top_padding` and `bottom_padding`.
        target_width: the width of the result. Give exactly two of this, `left_padding` and `right_padding`.
        data_format: see `resize`.

    Raises:
        ValueError: if not exactly two of the three are given, or one is or would be negative.
    """
    images = as_images(images, "pad_images")
    rows, columns = space_axes(images, data_format)
    shape = ops.shape(images)
    widths = [(0, 0)] * len(shape)
    heights = (top_padding, bottom_padding, target_height)
    sides = (left_padding, right_padding, target_width)
    for axis, names, values in ((rows, _ROWS, heights), (columns, _COLUMNS, sides)):
        room = (values[2] or 0) - shape[axis]
        widths[axis] = _margins("pad_images", [n.format("padding") for n in names], values, room)
    return ops.pad(images, widths)


@image_op
def crop_images(
    images: ArrayLike,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Array:
    """Return images without their margins.

    Args:
        images: one image or a batch, see `resize`.
        top_cropping: the number of rows to drop at the top.
        left_cropping: the number of columns to drop at the left.
        bottom_cropping: the number of rows to drop at the bottom.
        right_cropping: the number of columns to drop at the right.
        target_height: the height of the result. Give exactly two of this, `top_cropping` and `bottom_cropping`.
        target_width: the width of the result. Give exactly two of this, `left_cropping` and `right_cropping`.
        data_format: see `resize`.

    Raises:
        ValueError: if not exactly two of the three are given, or one is or would be negative.
    """
    images = as_images(images, "crop_images")
    rows, columns = space_axes(images, data_format)
    shape = ops.shape(images)
    kept: dict[int, tuple[int, int]] = {}
    heights = (top_cropping, bottom_cropping, target_height)
    sides = (left_cropping, right_cropping, target_width)
    for axis, names, values in ((rows, _ROWS, heights), (columns, _COLUMNS, sides)):
        room = shape[axis] - (values[2] or 0)
        before, after = _margins("crop_images", [n.format("cropping") for n in names], values, room)
        if before + after > shape[axis]:
            raise ValueError(f"crop_images: cropping {before} + {after} is more than axis {axis} has, {shape[axis]}.")
        kept[axis] = (before, shape[axis] - after)
    return cut(images, kept)
