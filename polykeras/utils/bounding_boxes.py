"""Bounding boxes: formats, transforms, and overlaps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from polykeras import config, ops
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike
from polykeras.layers.image.boxes import clip_to_image_size, convert_format, crop, pad, under

__all__ = [
    "affine_transform",
    "clip_to_image_size",
    "compute_ciou",
    "compute_iou",
    "convert_format",
    "crop",
    "decode_deltas_to_boxes",
    "encode_box_to_deltas",
    "pad",
]


def affine_transform(
    boxes: ArrayLike,
    angle: ArrayLike,
    translate_x: ArrayLike,
    translate_y: ArrayLike,
    scale: ArrayLike,
    shear_x: ArrayLike,
    shear_y: ArrayLike,
    height: int,
    width: int,
    center_x: float | None = None,
    center_y: float | None = None,
    bounding_box_format: str = "xyxy",
) -> Array:
    """Return the boxes that enclose given boxes after an affine transform of the images.

    Args:
        boxes: `(batch, n, 4)`.
        angle: the rotation in degrees, counter-clockwise, `(batch,)`.
        translate_x: the shift to the right, as a fraction of the width, `(batch,)`.
        translate_y: the shift down, as a fraction of the height, `(batch,)`.
        scale: the distance in the image between neighbouring pixels of the result, `(batch,)`.
        shear_x: the shear angle along x in degrees, `(batch,)`.
        shear_y: the shear angle along y in degrees, `(batch,)`.
        height: the height of the images.
        width: the width of the images.
        center_x: the fixed point, as a fraction of the width; by default the centre.
        center_y: the fixed point, as a fraction of the height; by default the centre.
        bounding_box_format: the format of `boxes` and of the result.
    """
    turn, sx, sy = (ops.convert_to_tensor(x, "float32") * (-math.pi / 180.0) for x in (angle, shear_x, shear_y))
    scale = ops.convert_to_tensor(scale, "float32")
    x = (0.5 if center_x is None else center_x) * (width - 1)
    y = (0.5 if center_y is None else center_y) * (height - 1)
    from_x = x - ops.convert_to_tensor(translate_x, "float32") * (width - 1)
    from_y = y - ops.convert_to_tensor(translate_y, "float32") * (height - 1)
    slanted = turn - sy
    a, c = ops.cos(slanted) / ops.cos(sy), -ops.sin(slanted) / ops.cos(sy)
    b, d = a * ops.tan(sx) + ops.sin(turn), ops.cos(turn) - c * ops.tan(sx)
    a0, a1, b0, b1 = d * scale, -b * scale, -c * scale, a * scale
    zero, one = ops.zeros_like(a0), ops.ones_like(a0)
    rows = [a0, a1, x - a0 * from_x - a1 * from_y, b0, b1, y - b0 * from_x - b1 * from_y, zero, zero, one]
    corners = convert_format(boxes, bounding_box_format, "xyxy", height, width)
    moved = under(corners, ops.reshape(ops.stack(rows, axis=-1), (-1, 3, 3)))
    return convert_format(moved, "xyxy", bounding_box_format, height, width)


def _sizes(image_shape: Sequence[int] | None) -> tuple[int | None, int | None]:
    return (None, None) if image_shape is None else (image_shape[0], image_shape[1])


def _checked(encoding: str, variance: Any) -> Array:
    """Return the variance as an array, or None."""
    if encoding not in ("center_xywh", "center_yxhw"):
        raise ValueError(f"Bounding boxes: deltas must be 'center_xywh' or 'center_yxhw'; received {encoding!r}.")
    if variance is None:
        return None
    variance = ops.convert_to_tensor(variance, "float32")
    if ops.shape(variance)[-1] != 4:
        raise ValueError(f"Bounding boxes: `variance` must have 4 numbers; received the shape {ops.shape(variance)}.")
    return variance


def encode_box_to_deltas(
    anchors: ArrayLike,
    boxes: ArrayLike,
    anchor_format: str,
    box_format: str,
    encoding_format: str = "center_yxhw",
    variance: Any = None,
    image_shape: Sequence[int] | None = None,
) -> Array:
    """Return the differences of boxes from anchors: centres in units of the anchor, and logarithms of sizes.

    Args:
        anchors: `(..., 4)`.
        boxes: `(..., 4)`.
        anchor_format: the format of the anchors.
        box_format: the format of the boxes.
        encoding_format: `"center_yxhw"` or `"center_xywh"`, the order of the result.
        variance: four numbers by which the result is divided.
        image_shape: `(height, width, channels)`, for relative formats.

    Raises:
        ValueError: if the encoding is unknown, or the variances have another size.
    """
    variance = _checked(encoding_format, variance)
    height, width = _sizes(image_shape)
    anchors = convert_format(anchors, anchor_format, encoding_format, height, width)
    boxes = convert_format(boxes, box_format, encoding_format, height, width)
    size, of_boxes = (ops.maximum(x[..., 2:], config.epsilon()) for x in (anchors, boxes))
    deltas = [(boxes[..., :2] - anchors[..., :2]) / size, ops.log(of_boxes / size)]
    found = ops.concatenate(deltas, axis=-1)
    return found if variance is None else found / variance


def decode_deltas_to_boxes(
    anchors: ArrayLike,
    boxes_delta: ArrayLike,
    anchor_format: str,
    box_format: str,
    encoded_format: str = "center_yxhw",
    variance: Any = None,
    image_shape: Sequence[int] | None = None,
) -> Array:
    """Return the boxes with the given differences from anchors: the inverse of `encode_box_to_deltas`.

    Args:
        anchors: `(..., 4)`, or a dict of such arrays.
        boxes_delta: the differences, in the same form.
        anchor_format: the format of the anchors.
        box_format: the format of the result.
        encoded_format: the encoding of the differences.
        variance: the four numbers by which the differences were divided.
        image_shape: `(height, width, channels)`, for relative formats.

    Raises:
        ValueError: if the encoding is unknown, or the variances have another size.
    """
    variance = _checked(encoded_format, variance)
    height, width = _sizes(image_shape)

    def decoded(anchor: Any, delta: Any) -> Array:
        anchor = convert_format(anchor, anchor_format, encoded_format, height, width)
        delta = ops.convert_to_tensor(delta) if variance is None else ops.multiply(delta, variance)
        size = anchor[..., 2:]
        box = ops.concatenate([delta[..., :2] * size + anchor[..., :2], ops.exp(delta[..., 2:]) * size], axis=-1)
        return convert_format(box, encoded_format, box_format, height, width)

    if isinstance(anchors, Mapping) and isinstance(boxes_delta, Mapping):
        return {level: decoded(anchor, boxes_delta[level]) for level, anchor in anchors.items()}
    return decoded(anchors, boxes_delta)


def compute_iou(
    boxes1: ArrayLike,
    boxes2: ArrayLike,
    bounding_box_format: str,
    use_masking: bool = False,
    mask_val: float = -1,
    image_shape: Sequence[int] | None = None,
) -> Array:
    """Return the intersection over union of each pair of boxes.

    Args:
        boxes1: `(n, 4)` or `(batch, n, 4)`.
        boxes2: `(m, 4)` or `(batch, m, 4)`.
        bounding_box_format: the format of both.
        use_masking: whether boxes that contain only negative numbers are ignored.
        mask_val: the result for ignored boxes.
        image_shape: `(height, width, channels)`, for relative formats.

    Returns:
        Shape `(n, m)` or `(batch, n, m)`.

    Raises:
        ValueError: if the ranks are wrong, or the format is relative and `image_shape` is missing.
    """
    height, width = _sizes(image_shape)
    if "rel" in bounding_box_format and image_shape is None:
        raise ValueError(f"compute_iou: the format {bounding_box_format!r} needs `image_shape`.")
    first, second = (convert_format(b, bounding_box_format, "xyxy", height, width) for b in (boxes1, boxes2))
    if any(len(ops.shape(b)) not in (2, 3) for b in (first, second)):
        raise ValueError(
            "compute_iou: expected boxes (n, 4) or (batch, n, 4); received the shapes "
            f"{ops.shape(first)} and {ops.shape(second)}."
        )
    a, b = ops.expand_dims(first, -2), ops.expand_dims(second, -3)
    sides = ops.maximum(ops.minimum(a[..., 2:], b[..., 2:]) - ops.maximum(a[..., :2], b[..., :2]), 0.0)
    common = ops.prod(sides, axis=-1)
    areas = [ops.prod(box[..., 2:] - box[..., :2], axis=-1) for box in (a, b)]
    result = common / (areas[0] + areas[1] - common + config.epsilon())
    if not use_masking:
        return result
    nothing = ops.logical_or(ops.max(a, axis=-1) < 0, ops.max(b, axis=-1) < 0)
    return ops.where(nothing, ops.cast(mask_val, ops.dtype(result)), result)


def compute_ciou(
    boxes1: ArrayLike, boxes2: ArrayLike, bounding_box_format: str, image_shape: Sequence[int] | None = None
) -> Array:
    """Return the complete intersection over union of pairs of boxes.

    Source: Zheng et al., "Enhancing geometric factors in model learning and inference for object detection and
    instance segmentation", 2020, https://arxiv.org/abs/2005.03572. It is lower for distant centres and for different
    aspect ratios.

    Args:
        boxes1: `(..., 4)`.
        boxes2: `(..., 4)`.
        bounding_box_format: the format of both.
        image_shape: `(height, width, channels)`, for relative formats.

    Raises:
        ValueError: if the format is relative and `image_shape` is missing.
    """
    if "rel" in bounding_box_format and image_shape is None:
        raise ValueError(f"compute_ciou: the format {bounding_box_format!r} needs `image_shape`.")
    height, width = _sizes(image_shape)
    a, b = (convert_format(x, bounding_box_format, "xyxy", height, width) for x in (boxes1, boxes2))
    tiny = config.epsilon()
    sides = ops.maximum(ops.minimum(a[..., 2:], b[..., 2:]) - ops.maximum(a[..., :2], b[..., :2]), 0.0)
    common = ops.prod(sides, axis=-1)
    (wide1, tall1), (wide2, tall2) = ((x[..., 2] - x[..., 0], x[..., 3] - x[..., 1] + tiny) for x in (a, b))
    overlap = common / (wide1 * tall1 + wide2 * tall2 - common + 2 * tiny)
    hull = ops.maximum(a[..., 2:], b[..., 2:]) - ops.minimum(a[..., :2], b[..., :2])
    apart = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2.0
    distance = ops.sum(ops.square(apart), axis=-1) / (ops.sum(ops.square(hull), axis=-1) + tiny)
    aspect = 4.0 / math.pi**2 * ops.square(ops.arctan(wide2 / tall2) - ops.arctan(wide1 / tall1))
    return overlap - distance - aspect * aspect / (aspect - overlap + (1.0 + tiny))
