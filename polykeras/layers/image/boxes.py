"""Bounding boxes: their formats, and how they change with images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common import nested
from polykeras.common.types import ArrayLike

FORMATS = (
    *("xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw"),
    *("rel_xyxy", "rel_yxyx", "rel_xywh", "rel_center_xywh"),
)
"""Two corners; a corner and sizes; or the centre and sizes. `rel_` means fractions of the image's height and width."""


def _parts(boxes: Array) -> list[Array]:
    return list(ops.split(boxes, 4, axis=-1))


def _check_format(name: Any, argument: str) -> str:
    lowered = name.lower() if isinstance(name, str) else name
    if lowered not in FORMATS:
        raise ValueError(f"Bounding boxes: `{argument}` must be one of {', '.join(FORMATS)}; received {name!r}.")
    return lowered


def _y_first(form: str) -> bool:
    return form.rpartition("_")[2].startswith("y")


def _to_corners(boxes: Array, form: str) -> list[Array]:
    x, y, right, bottom = _parts(boxes)
    if _y_first(form):
        x, y, right, bottom = y, x, bottom, right
    if form.startswith("center"):
        return [x - right / 2.0, y - bottom / 2.0, x + right / 2.0, y + bottom / 2.0]
    return [x, y, x + right, y + bottom] if form.endswith("wh") else [x, y, right, bottom]


def _from_corners(corners: Sequence[Array], form: str) -> Array:
    x, y, right, bottom = corners
    if form.endswith(("wh", "hw")):
        right, bottom = right - x, bottom - y
        if form.startswith("center"):
            x, y = x + right / 2.0, y + bottom / 2.0
    return ops.concatenate([y, x, bottom, right] if _y_first(form) else [x, y, right, bottom], axis=-1)


def convert_format(
    boxes: ArrayLike,
    source: str,
    target: str,
    height: ArrayLike | None = None,
    width: ArrayLike | None = None,
    dtype: str = "float32",
) -> Array:
    """Convert bounding boxes to another format.

    Args:
        boxes: an array `(..., 4)`, or a dict that contains one as `"boxes"`.
        source: the format of `boxes`. `"xyxy"`: left, top, right, bottom. `"yxyx"`: top, left, bottom, right. `"xywh"`:
            left, top, width, height. `"center_xywh"` and `"center_yxhw"`: the centre and the sizes. `"rel_xyxy"`,
            `"rel_yxyx"`, `"rel_xywh"`, `"rel_center_xywh"`: the same as fractions of the image's width and height.
        target: the format of the result.
        height: the height of the image, needed if exactly one of the formats is relative.
        width: the width of the image, like `height`.
        dtype: the dtype of the result.

    Returns:
        The boxes, or a new dict if `boxes` is a dict.

    Raises:
        ValueError: a format is unknown, the last axis has another size than 4, or the image's size is missing.
    """
    if isinstance(boxes, Mapping):
        return {**boxes, "boxes": convert_format(boxes["boxes"], source, target, height, width, dtype)}
    source, target = _check_format(source, "source"), _check_format(target, "target")
    boxes = ops.cast(ops.convert_to_tensor(boxes), dtype)
    if ops.shape(boxes)[-1] != 4:
        raise ValueError(f"Bounding boxes: the last axis must have size 4; received the shape {ops.shape(boxes)}.")
    if source == target:
        return boxes
    relative = source.startswith("rel_"), target.startswith("rel_")
    corners = _to_corners(boxes, source.removeprefix("rel_"))
    if relative[0] != relative[1]:
        if height is None or width is None:
            raise ValueError(f"Bounding boxes: {source} to {target} needs `height` and `width` of the image.")
        sizes = [ops.cast(size, dtype) for size in (width, height)] * 2
        scale = ops.multiply if relative[0] else ops.divide
        corners = [scale(part, size) for part, size in zip(corners, sizes, strict=True)]
    return _from_corners(corners, target.removeprefix("rel_"))


def clip_to_image_size(
    bounding_boxes: Mapping[str, Any],
    height: ArrayLike | None = None,
    width: ArrayLike | None = None,
    bounding_box_format: str = "xyxy",
) -> dict[str, Any]:
    """Return bounding boxes clipped to the image; boxes without area get the label -1.

    Args:
        bounding_boxes: a dict of `"boxes"`, `(..., 4)`, and optionally `"labels"`, `(...)`.
        height: the height of the image.
        width: the width of the image.
        bounding_box_format: `"xyxy"`, or `"rel_xyxy"`, for which no size is needed.

    Raises:
        ValueError: the format is another one, or a size for `"xyxy"` is missing.
    """
    if bounding_box_format not in ("xyxy", "rel_xyxy"):
        raise ValueError(f"clip_to_image_size: expected 'xyxy' or 'rel_xyxy'; received {bounding_box_format!r}.")
    if bounding_box_format == "rel_xyxy":
        height = width = 1
    elif height is None or width is None:
        raise ValueError("clip_to_image_size: 'xyxy' needs `height` and `width` of the image.")
    boxes = ops.convert_to_tensor(bounding_boxes["boxes"])
    left, top, right, bottom = (
        ops.clip(part, 0, ops.cast(size, ops.dtype(boxes)))
        for part, size in zip(_parts(boxes), (width, height) * 2, strict=True)
    )
    result = {**bounding_boxes, "boxes": ops.concatenate([left, top, right, bottom], axis=-1)}
    if bounding_boxes.get("labels") is not None:
        area = ops.squeeze((right - left) * (bottom - top), -1)
        result["labels"] = ops.where(area > 0, bounding_boxes["labels"], -1)
    return result


def crop(
    boxes: ArrayLike,
    top: ArrayLike,
    left: ArrayLike,
    height: ArrayLike,
    width: ArrayLike,
    bounding_box_format: str = "xyxy",
) -> Array:
    """Return the parts of boxes that lie within a section of the image, relative to that section.

    Args:
        boxes: an array `(..., 4)`.
        top: the first row of the section.
        left: the first column of the section.
        height: the height of the section.
        width: the width of the section.
        bounding_box_format: the format of `boxes`, which must not be relative.
    """
    corners = convert_format(boxes, bounding_box_format, "xyxy")
    moved = zip(_parts(corners), (left, top) * 2, (width, height) * 2, strict=True)
    cut = ops.concatenate([ops.clip(part - start, 0, size) for part, start, size in moved], axis=-1)
    return convert_format(cut, "xyxy", bounding_box_format)


def pad(
    boxes: ArrayLike,
    top: ArrayLike,
    left: ArrayLike,
    height: ArrayLike | None = None,
    width: ArrayLike | None = None,
    bounding_box_format: str = "xyxy",
) -> Array:
    """Return boxes shifted for an image that is padded at the top and at the left.

    Args:
        boxes: an array `(..., 4)`.
        top: the number of rows that are added.
        left: the number of columns that are added.
        height: the height of the image, for relative formats.
        width: the width of the image, for relative formats.
        bounding_box_format: the format of `boxes`.
    """
    corners = convert_format(boxes, bounding_box_format, "xyxy", height, width)
    moved = ops.concatenate([part + by for part, by in zip(_parts(corners), (left, top) * 2, strict=True)], axis=-1)
    return convert_format(moved, "xyxy", bounding_box_format, height, width)


def under(boxes: Array, matrix: Array) -> Array:
    """Return the smallest boxes that contain the given boxes after a projective transformation of the image.

    Args:
        boxes: an array `(batch, n, 4)`, in the format `"xyxy"`.
        matrix: matrices `(batch, 3, 3)` that map a corner `(x, y, 1)`.
    """
    left, top, right, bottom = ops.unstack(boxes, axis=-1)
    xs, ys = ops.stack([left, right, right, left], axis=-1), ops.stack([top, top, bottom, bottom], axis=-1)
    corners = ops.stack([xs, ys, ops.ones_like(xs)], axis=-1)
    x, y, depth = ops.unstack(ops.einsum("bnci,bji->bncj", corners, matrix), axis=-1)
    x, y = x / depth, y / depth
    sides = [ops.min(x, axis=-1), ops.min(y, axis=-1), ops.max(x, axis=-1), ops.max(y, axis=-1)]
    return ops.stack(sides, axis=-1)


def dense(bounding_boxes: Any) -> dict[str, Any]:
    """Return bounding boxes as arrays: boxes `(..., 4)` as float32, and labels.

    If images have lists of different lengths, shorter ones are filled with boxes of zeros and the label -1.

    Raises:
        ValueError: `bounding_boxes` is not a dict of `"boxes"` and `"labels"`, or the two do not match.
    """
    if not isinstance(bounding_boxes, Mapping) or not {"boxes", "labels"} <= set(bounding_boxes):
        raise ValueError(f"Bounding boxes: expected a dict with 'boxes' and 'labels'; received {bounding_boxes!r}.")
    boxes, labels = bounding_boxes["boxes"], bounding_boxes["labels"]
    if isinstance(boxes, (list, tuple)) and not any(hasattr(leaf, "shape") for leaf in nested.flatten([boxes, labels])):
        if boxes and isinstance(boxes[0], (list, tuple)) and all(isinstance(box, (list, tuple)) for box in boxes[0]):
            most = max(map(len, boxes))
            boxes = [[*image, *[[0, 0, 0, 0]] * (most - len(image))] for image in boxes]
            labels = [[*image, *[-1] * (most - len(image))] for image in labels]
        boxes, labels = np.asarray(boxes, "float32").reshape(*np.shape(labels), 4), np.asarray(labels, "int32")
    result = {"boxes": ops.cast(boxes, "float32"), "labels": ops.convert_to_tensor(labels)}
    shape, of_labels = ops.shape(result["boxes"]), ops.shape(result["labels"])
    if len(shape) not in (2, 3) or shape[-1] != 4 or len(of_labels) not in (len(shape) - 1, len(shape)):
        raise ValueError(
            "Bounding boxes: expected boxes (n, 4) or (batch, n, 4) with a label for each; received the shapes "
            f"{shape} and {of_labels}."
        )
    return {**bounding_boxes, **result}
