"""Classes of pixels, drawn as colours on images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polykeras import config, ops
from polykeras.common.types import ArrayLike
from polykeras.visualization.gallery import image_batch, plot_image_gallery

_STEPS = np.array([2**25 - 1, 2**15 - 1, 2**21 - 1])
"""How much red, green and blue of a class differ from those of the previous class, modulo 255: Keras's colours."""


def draw_segmentation_masks(
    images: ArrayLike,
    segmentation_masks: ArrayLike,
    num_classes: int | None = None,
    color_mapping: Mapping[int, Sequence[int]] | None = None,
    alpha: float = 0.8,
    blend: bool = True,
    ignore_index: int = -1,
    data_format: str | None = None,
) -> np.ndarray:
    """Return images with the classes of their pixels drawn as colours.

    Args:
        images: `(batch, height, width, channels)`, from 0 to 255; or channels first.
        segmentation_masks: the class of each pixel, integers, `(batch, height, width, 1)`, or channels first, or
            `(batch, height, width)`. Classes from 0 to `num_classes - 1` are drawn.
        num_classes: by default the largest class in the masks, which is then not drawn itself, as in Keras. Pass one
            more to draw all.
        color_mapping: the red, green and blue of each class; a class without a colour is not drawn.
        alpha: the opacity of the colours, from 0 to 1.
        blend: whether to blend the colours with the pixels; False replaces the pixels.
        ignore_index: a class that is not drawn.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.

    Returns:
        `(batch, height, width, channels)`, uint8; float32 without `blend`.

    Raises:
        TypeError: if the masks are floats.
        ValueError: if `images` is not a batch, or the masks have other sizes.
    """
    batch = image_batch(images, "draw_segmentation_masks", data_format).astype("float32")
    classes = _classes(segmentation_masks, batch, data_format)
    if num_classes is None:
        num_classes = int(classes.max(initial=0))
    if color_mapping is None:
        color_mapping = {i: (i * _STEPS % 255).tolist() for i in range(num_classes)}
    painted = batch.copy()
    for index in range(num_classes):
        if index in color_mapping and index != ignore_index:
            painted[classes == index] = color_mapping[index]
    if not blend:
        return painted
    blended = batch * np.float32(1 - alpha) + painted * np.float32(alpha)
    return np.where(classes[..., None] == ignore_index, batch, blended).astype("uint8")


def _classes(masks: ArrayLike, images: np.ndarray, data_format: str | None) -> np.ndarray:
    """Return masks as `(batch, height, width)`."""
    found = np.asarray(ops.convert_to_numpy(masks))
    if found.dtype.kind not in "iu":
        raise TypeError(f"draw_segmentation_masks: masks are classes and must be integers; received {found.dtype}.")
    if found.ndim == 4:
        axis = 1 if config.standardize_data_format(data_format) == "channels_first" else 3
        found = found.squeeze(axis) if found.shape[axis] == 1 else found
    if found.shape != images.shape[:3]:
        raise ValueError(
            f"draw_segmentation_masks: images of the sizes {images.shape[:3]} need masks of the shape "
            f"{images.shape[:3]} or {(*images.shape[:3], 1)}; received {np.shape(masks)}."
        )
    return found


def plot_segmentation_mask_gallery(
    images: ArrayLike,
    num_classes: int,
    value_range: Sequence[float] = (0, 255),
    y_true: ArrayLike | None = None,
    y_pred: ArrayLike | None = None,
    color_mapping: Mapping[int, Sequence[int]] | None = None,
    blend: bool = True,
    alpha: float = 0.8,
    ignore_index: int = -1,
    data_format: str | None = None,
    **kwargs: Any,
) -> None:
    """Show each image in a row: unchanged, with its true classes, and with predicted ones.

    Args:
        images: `(batch, height, width, channels)`; or channels first.
        num_classes: classes from 0 to `num_classes - 1` are drawn.
        value_range: the smallest and the largest value of a pixel.
        y_true: the true class of each pixel; see `draw_segmentation_masks`.
        y_pred: the predicted classes.
        color_mapping: the red, green and blue of each class.
        blend: whether to blend the colours with the pixels; False replaces the pixels.
        alpha: the opacity of the colours, from 0 to 1.
        ignore_index: a class that is not drawn.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.
        **kwargs: arguments of `plot_image_gallery`.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: if `images` is not a batch, or the masks have other sizes.
    """
    batch = image_batch(images, "plot_segmentation_mask_gallery", data_format)
    columns = [batch]
    for masks in (y_true, y_pred):
        if masks is not None:
            classes = _classes(ops.cast(masks, "int32"), batch, data_format)
            look = (num_classes, color_mapping, alpha, blend, ignore_index, "channels_last")
            columns.append(draw_segmentation_masks(batch, classes, *look))
    pictures = np.stack(columns, axis=1).reshape(-1, *batch.shape[1:])
    grid = {"rows": len(batch), "cols": len(columns), "data_format": "channels_last"}
    plot_image_gallery(pictures, value_range=value_range, **grid, **kwargs)
