"""Boxes on images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polykeras import config, ops
from polykeras.common.types import ArrayLike
from polykeras.layers.image.boxes import convert_format
from polykeras.visualization.gallery import image_batch, matplotlib_module, plot_image_gallery

_TEXT_SIZE = 30
"""The font size in pixels for a `font_scale` of 1. Capitals are then about as high as OpenCV's."""


def draw_bounding_boxes(
    images: ArrayLike,
    bounding_boxes: Mapping[str, Any],
    bounding_box_format: str,
    class_mapping: Mapping[int, str] | None = None,
    color: Sequence[int] = (128, 128, 128),
    line_thickness: int = 2,
    text_thickness: int | None = 1,
    font_scale: float = 1.0,
    data_format: str | None = None,
) -> np.ndarray:
    """Return images with boxes drawn on them.

    Args:
        images: `(batch, height, width, channels)`; or channels first. Floats are in 0 to 1 if none is above 1,
            otherwise in 0 to 255.
        bounding_boxes: `"boxes"`, `(batch, n, 4)`; `"labels"`, `(batch, n)`, where -1 stands for no box; and optionally
            `"confidences"`, `(batch, n)`.
        bounding_box_format: the format of the boxes; see `utils.bounding_boxes.convert_format`.
        class_mapping: names of classes, which are written next to the boxes of these classes. It needs Pillow.
        color: the colour of lines and texts: red, green and blue from 0 to 255.
        line_thickness: the thickness of the lines in pixels, centred on the edge; a negative one fills the boxes.
        text_thickness: the thickness of the texts; None uses that of the lines.
        font_scale: the size of the texts; at 1, capitals are about 21 pixels high.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.

    Returns:
        An array of uint8 in the shape of `images`.

    Raises:
        ImportError: if there are names to write and Pillow is not installed.
        TypeError: if `bounding_boxes` is not a dict.
        ValueError: if it lacks boxes or labels, `images` is not a batch, or the format is unknown.
    """
    batch = image_batch(images, "draw_bounding_boxes", data_format)
    if not isinstance(bounding_boxes, Mapping):
        raise TypeError(f"draw_bounding_boxes: `bounding_boxes` must be a dict; received {type(bounding_boxes)}.")
    if missing := {"boxes", "labels"} - set(bounding_boxes):
        raise ValueError(
            f"draw_bounding_boxes: `bounding_boxes` needs 'boxes' and 'labels'; it lacks {sorted(missing)} and has "
            f"{sorted(bounding_boxes)}."
        )
    found = convert_format(dict(bounding_boxes), bounding_box_format, "xyxy", *batch.shape[1:3])
    boxes, labels = (np.asarray(ops.convert_to_numpy(found[key])).astype("int32") for key in ("boxes", "labels"))
    shares = found.get("confidences")
    shares = None if shares is None else ops.convert_to_numpy(shares)
    ink = np.zeros(batch.shape[-1], "uint8")
    ink[: len(color)] = color[: len(ink)]
    drawn = _as_bytes(batch)
    for i, j in np.argwhere(labels != -1).tolist():
        left, top, right, bottom = boxes[i, j].tolist()
        _draw_box(drawn[i], (left, top, right, bottom), ink, line_thickness)
        name = (class_mapping or {}).get(int(labels[i, j]))
        if name is not None:
            text = name if shares is None else f"{name} | {shares[i, j]:.2f}"
            thickness = text_thickness or max(line_thickness, 1)
            _write(drawn[i], text, _place(left, top, font_scale, thickness), ink, font_scale, thickness)
    return drawn.transpose(0, 3, 1, 2) if config.standardize_data_format(data_format) == "channels_first" else drawn


def _as_bytes(images: np.ndarray) -> np.ndarray:
    """Return a copy of images as uint8."""
    if images.dtype.kind == "f" and images.size:
        images = images.clip(0, 1) * 255 if images.max() <= 1 else images.clip(0, 255)
    return images.astype("uint8")


def _draw_box(image: np.ndarray, box: tuple[int, int, int, int], ink: np.ndarray, thickness: int) -> None:
    left, top, right, bottom = box
    before, after = max(thickness, 0) // 2, (max(thickness, 1) + 1) // 2
    rows, columns = _span(top - before, bottom + after), _span(left - before, right + after)
    if thickness < 0:
        image[rows, columns] = ink
        return
    for y in (top, bottom):
        image[_span(y - before, y + after), columns] = ink
    for x in (left, right):
        image[rows, _span(x - before, x + after)] = ink


def _span(start: int, stop: int) -> slice:
    return slice(max(start, 0), max(stop, 0))


def _place(x: int, y: int, scale: float, thickness: int) -> tuple[int, int]:
    """Return the position of a text: above the box, or inside of it if there is no room above."""
    height = int(scale * 12)
    return (x, y - 8) if y - 8 - 2 * height > 0 else (x + 3, y + 2 * height + thickness + 3)


def _write(image: np.ndarray, text: str, place: tuple[int, int], ink: np.ndarray, scale: float, thickness: int) -> None:
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as error:
        raise ImportError(
            "draw_bounding_boxes needs Pillow to write names of classes, and it is not installed. Install it with `pip "
            "install polykeras[images]`, or pass no `class_mapping`."
        ) from error
    page = Image.new("L", (image.shape[1], image.shape[0]))
    font = ImageFont.load_default(_TEXT_SIZE * scale)
    ImageDraw.Draw(page).text(place, text, fill=255, font=font, anchor="ls", stroke_width=(thickness - 1) // 2)
    share = np.asarray(page, "float32")[..., None] / 255
    image[...] = np.rint(image * (1 - share) + ink * share)


def plot_bounding_box_gallery(
    images: ArrayLike,
    bounding_box_format: str,
    y_true: Mapping[str, Any] | None = None,
    y_pred: Mapping[str, Any] | None = None,
    value_range: Sequence[float] = (0, 255),
    true_color: Sequence[int] = (0, 188, 212),
    pred_color: Sequence[int] = (255, 235, 59),
    line_thickness: int = 2,
    font_scale: float = 1.0,
    text_thickness: int | None = None,
    class_mapping: Mapping[int, str] | None = None,
    ground_truth_mapping: Mapping[int, str] | None = None,
    prediction_mapping: Mapping[int, str] | None = None,
    legend: bool = False,
    legend_handles: Sequence[Any] | None = None,
    rows: int | None = None,
    cols: int | None = None,
    data_format: str | None = None,
    **kwargs: Any,
) -> None:
    """Show images in a grid, with true and predicted boxes.

    Args:
        images: `(batch, height, width, channels)`; or channels first.
        bounding_box_format: the format of the boxes; see `utils.bounding_boxes.convert_format`.
        y_true: true boxes; see `draw_bounding_boxes`.
        y_pred: predicted boxes.
        value_range: the smallest and the largest value of a pixel; if boxes are drawn, of the drawn images.
        true_color: the colour of true boxes.
        pred_color: the colour of predicted boxes.
        line_thickness: the thickness of the lines in pixels.
        font_scale: the size of the texts.
        text_thickness: the thickness of the texts; by default that of the lines.
        class_mapping: names of classes.
        ground_truth_mapping: names of classes for true boxes; by default `class_mapping`.
        prediction_mapping: names of classes for predicted boxes; by default `class_mapping`.
        legend: whether to show a legend of the colours.
        legend_handles: handles of matplotlib for another legend.
        rows: the number of rows of the grid.
        cols: the number of columns of the grid.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.
        **kwargs: arguments of `plot_image_gallery`.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: if `images` is not a batch, or both `legend` and `legend_handles` are given.
    """
    patches = matplotlib_module("patches", "plot_bounding_box_gallery")
    if legend and legend_handles:
        raise ValueError("plot_bounding_box_gallery: pass `legend` or `legend_handles`, not both.")
    drawn = image_batch(images, "plot_bounding_box_gallery", data_format)
    for boxes, color, names in (
        (y_true, true_color, ground_truth_mapping or class_mapping),
        (y_pred, pred_color, prediction_mapping or class_mapping),
    ):
        if boxes is not None:
            form = (bounding_box_format, names, color, line_thickness, text_thickness, font_scale)
            drawn = draw_bounding_boxes(drawn, boxes, *form, data_format="channels_last")
    if legend:
        colors = {"Ground Truth": true_color, "Prediction": pred_color}
        legend_handles = [patches.Patch(color=np.array(c) / 255.0, label=label) for label, c in colors.items()]
    grid = {"rows": rows, "cols": cols, "legend_handles": legend_handles, "data_format": "channels_last"}
    plot_image_gallery(drawn, value_range=value_range, **grid, **kwargs)
