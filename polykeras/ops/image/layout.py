"""Common parts of image ops: names in graphs, layouts, checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ParamSpec, TypeVar

from polykeras import config, dtypes, ops
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike
from polykeras.ops.by_hand import gives_way

P = ParamSpec("P")
R = TypeVar("R")


def image_op(function: Callable[P, R]) -> Callable[P, R]:
    """Return an image op that gives way to symbolic tensors, named like `"image.resize"`."""
    wrapper = gives_way(function)
    wrapper.__op_name__ = f"image.{function.__name__}"  # type: ignore[attr-defined]
    return wrapper


def as_images(images: ArrayLike, op: str, ranks: tuple[int, ...] = (3, 4)) -> Array:
    """Return images as an array of the backend.

    Raises:
        ValueError: if they are neither an image nor a batch of images.
    """
    images = ops.convert_to_tensor(images)
    shape = ops.shape(images)
    if len(shape) not in ranks:
        raise ValueError(
            f"ops.image.{op}: expected an image of {ranks[0]} axes, or a batch of them with {ranks[1]}; received the "
            f"shape {shape}."
        )
    return images


def space_axes(images: Array, data_format: str | None) -> tuple[int, int]:
    """Return the axes of height and width, counted from the front."""
    ndim = len(ops.shape(images))
    last = config.standardize_data_format(data_format) == "channels_last"
    return (ndim - 3, ndim - 2) if last else (ndim - 2, ndim - 1)


def channel_axis(images: Array, data_format: str | None) -> int:
    """Return the axis of the channels, counted from the front."""
    ndim = len(ops.shape(images))
    return ndim - 1 if config.standardize_data_format(data_format) == "channels_last" else ndim - 3


def as_batch(images: Array, data_format: str | None) -> tuple[Array, Callable[[Array], Array]]:
    """Return images as `(batch, height, width, channels)`, and a function that restores the original layout."""
    single = len(ops.shape(images)) == 3
    first = config.standardize_data_format(data_format) == "channels_first"
    if single:
        images = ops.expand_dims(images, 0)
    if first:
        images = ops.moveaxis(images, 1, 3)

    def back(result: Array) -> Array:
        if first:
            result = ops.moveaxis(result, 3, 1)
        return ops.squeeze(result, 0) if single else result

    return images, back


def cut(images: Array, kept: Mapping[int, tuple[int, int]]) -> Array:
    """Return the part between start and stop along some axes."""
    index = [slice(*kept[axis]) if axis in kept else slice(None) for axis in range(len(ops.shape(images)))]
    return ops.get_item(images, tuple(index))


def float_dtype(dtype: str) -> str:
    """Return the dtype in which to compute with images of a dtype."""
    return dtypes.float_type(dtype)


def rounded(result: Array, dtype: str) -> Array:
    """Return a result in the dtype of the images: for an integer dtype, rounded and clipped to its range."""
    if ops.dtype(result) == dtype:
        return result
    return ops.saturate_cast(ops.round(result), dtype) if dtypes.is_int(dtype) else ops.cast(result, dtype)
