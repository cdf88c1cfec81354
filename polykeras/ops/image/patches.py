"""Patches of images and volumes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from polykeras import config, ops
from polykeras.backend.spec import Array
from polykeras.common import budget
from polykeras.common.arguments import int_tuple
from polykeras.common.types import ArrayLike
from polykeras.ops.image.layout import as_images, image_op


def _patches(
    images: Array, rank: int, size: Any, strides: Any, dilation_rate: Any, padding: str, data_format: str | None
) -> Array:
    """Return the patches of a batch, or of a single item, over `rank` axes."""
    lengths = int_tuple(size, rank, "size")
    steps = lengths if strides is None else int_tuple(strides, rank, "strides")
    dilations = int_tuple(dilation_rate, rank, "dilation_rate")
    if padding not in ("valid", "same"):
        raise ValueError(f"extract_patches: `padding` must be 'valid' or 'same'; received {padding!r}.")

    def cut(images: Array) -> Array:
        for i, (length, step, dilation) in enumerate(zip(lengths, steps, dilations, strict=True)):
            images = _windows(images, 1 + 2 * i, length, step, dilation, padding)
        batch, *space, channels = ops.shape(images)
        order = [0, *range(1, 2 * rank, 2), *range(2, 2 * rank + 1, 2), 2 * rank + 1]
        return ops.reshape(ops.transpose(images, order), (batch, *space[::2], int(np.prod(lengths)) * channels))

    return _channels_last(cut, images, rank, data_format)


def _channels_last(function: Callable[[Array], Array], x: Array, rank: int, data_format: str | None) -> Array:
    """Return what a function of a batch, channels last, gives for a batch or a single item of a data format."""
    last = config.standardize_data_format(data_format) == "channels_last"
    single = len(ops.shape(x)) == rank + 1
    if single:
        x = ops.expand_dims(x, 0)
    result = function(x if last else ops.moveaxis(x, 1, -1))
    if not last:
        result = ops.moveaxis(result, -1, 1)
    return ops.squeeze(result, 0) if single else result


def _windows(x: Array, axis: int, length: int, step: int, dilation: int, padding: str) -> Array:
    """Return `x` with one axis split in two: windows, and positions within them."""
    n, reach = ops.shape(x)[axis], dilation * (length - 1) + 1
    if padding == "same":
        missing = max((-(-n // step) - 1) * step + reach - n, 0)
        widths = [(0, 0)] * len(ops.shape(x))
        widths[axis] = (missing // 2, missing - missing // 2)
        x, n = ops.pad(x, widths), n + missing
    if reach > n:
        raise ValueError(f"extract_patches: a patch with an extent of {reach} does not fit into an axis of {n}.")
    count = (n - reach) // step + 1
    if dilation == 1 and step == length:
        shape = ops.shape(x)
        kept = [slice(None)] * axis + [slice(0, count * length)]
        return ops.reshape(ops.get_item(x, tuple(kept)), (*shape[:axis], count, length, *shape[axis + 1 :]))
    budget.spend(count * length)
    places = np.arange(count, dtype="int32")[:, None] * step + np.arange(length, dtype="int32") * dilation
    return ops.take(x, places, axis=axis)


@image_op
def extract_patches(
    images: ArrayLike,
    size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    dilation_rate: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Array:
    """Return the patches of images, each flattened along the channels.

    Args:
        images: one image `(height, width, channels)` or a batch of them; or channels first. With three numbers in
            `size`, volumes, as for `extract_patches_3d`.
        size: the size of a patch: an int, or `(height, width)`.
        strides: the distance between patches; by default they are adjacent.
        dilation_rate: the distance between the pixels of a patch.
        padding: `"valid"` for whole patches only, `"same"` for zeros around.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.

    Returns:
        Shape `(batch, rows of patches, columns of patches, height * width * channels)`; or channels first.

    Raises:
        ValueError: if a patch does not fit into the images, or an argument has the wrong form.
    """
    if not isinstance(size, int) and len(size) == 3:
        return extract_patches_3d(images, size, strides, dilation_rate, padding, data_format)
    images = as_images(images, "extract_patches")
    return _patches(images, 2, size, strides, dilation_rate, padding, data_format)


@image_op
def extract_patches_3d(
    volumes: ArrayLike,
    size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    dilation_rate: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Array:
    """Return the patches of volumes, each flattened along the channels.

    Args:
        volumes: one volume `(depth, height, width, channels)` or a batch of them; or channels first.
        size: the size of a patch: an int, or `(depth, height, width)`.
        strides: the distance between patches; by default they are adjacent.
        dilation_rate: the distance between the elements of a patch.
        padding: `"valid"` for whole patches only, `"same"` for zeros around.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.

    Returns:
        Shape `(batch, patches along each axis, depth * height * width * channels)`; or channels first.

    Raises:
        ValueError: if a patch does not fit into the volumes, or an argument has the wrong form.
    """
    volumes = as_images(volumes, "extract_patches_3d", (4, 5))
    return _patches(volumes, 3, size, strides, dilation_rate, padding, data_format)


@image_op
def reconstruct_patches(
    patches: ArrayLike,
    size: int | Sequence[int],
    output_size: Sequence[int] | None = None,
    strides: int | Sequence[int] | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Array:
    """Return the images that adjacent patches were taken from: the inverse of `extract_patches`.

    Args:
        patches: what `extract_patches` returned, with as many axes as the images.
        size: the size of a patch: an int, or `(height, width)`; with three numbers, the patches are of volumes.
        output_size: the size of the images along each axis. With `padding="valid"`, by default that of all patches.
        strides: the distance between patches: their size, which is the default.
        padding: as for `extract_patches`: `"same"` takes away the zeros around.
        data_format: `"channels_last"` or `"channels_first"`, of patches and images; by default the configured one.

    Returns:
        Shape `(batch, height, width, channels)`; or channels first, or without a batch.

    Raises:
        ValueError: if patches overlap, do not fit their size, or do not give images of the output size.
    """
    lengths = (size, size) if isinstance(size, int) else tuple(size)
    rank = len(lengths)
    patches = as_images(patches, "reconstruct_patches", (rank + 1, rank + 2))
    if strides is not None and int_tuple(strides, rank, "strides") != lengths:
        raise ValueError(f"reconstruct_patches: patches must be adjacent, {lengths} apart; `strides` is {strides}.")
    if padding not in ("valid", "same") or (padding == "same" and output_size is None):
        raise ValueError(
            "reconstruct_patches: `padding` must be 'valid', or 'same' with the `output_size`; received "
            f"{padding!r} and {output_size}."
        )

    def join(patches: Array) -> Array:
        batch, *grid, depth = ops.shape(patches)
        channels, rest = divmod(depth, int(np.prod(lengths)))
        if rest:
            raise ValueError(f"reconstruct_patches: {depth} numbers are no patches of size {lengths} with channels.")
        images = ops.reshape(patches, (batch, *grid, *lengths, channels))
        order = [0, *(axis for i in range(1, rank + 1) for axis in (i, i + rank)), 2 * rank + 1]
        whole = [count * length for count, length in zip(grid, lengths, strict=True)]
        images = ops.reshape(ops.transpose(images, order), (batch, *whole, channels))
        if output_size is None:
            return images
        return _without_padding(images, whole, int_tuple(output_size, rank, "output_size"), lengths, padding)

    return _channels_last(join, patches, rank, data_format)


def _without_padding(
    images: Array, whole: Sequence[int], size: Sequence[int], lengths: Sequence[int], padding: str
) -> Array:
    """Return a batch of images cut to a size, as many numbers at both ends, the odd one at the back.

    Raises:
        ValueError: if images of this size do not have these patches.
    """
    most = [0 if padding == "valid" else length - 1 for length in lengths]
    if not all(0 <= have - want <= over for have, want, over in zip(whole, size, most, strict=True)):
        raise ValueError(
            f"reconstruct_patches: the patches give images of {tuple(whole)}, padding included; `output_size` is "
            f"{tuple(size)} with padding={padding!r}."
        )
    starts = [(have - want) // 2 for have, want in zip(whole, size, strict=True)]
    return images[(slice(None), *(slice(start, start + n) for start, n in zip(starts, size, strict=True)))]
