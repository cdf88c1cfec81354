"""Images side by side."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from polykeras import config, ops
from polykeras.common.types import ArrayLike
from polykeras.layers.image.factors import rescaled


def image_batch(images: ArrayLike, what: str, data_format: str | None) -> np.ndarray:
    """Return images as a NumPy array `(batch, height, width, channels)`.

    Raises:
        ValueError: if they do not have four axes, or the format is unknown.
    """
    found = np.asarray(ops.convert_to_numpy(images))
    if found.ndim != 4:
        raise ValueError(f"{what}: `images` must be a batch with 4 axes; received the shape {found.shape}.")
    return found.transpose(0, 2, 3, 1) if config.standardize_data_format(data_format) == "channels_first" else found


def matplotlib_module(name: str, what: str) -> Any:
    """Return a module of matplotlib.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    try:
        return import_module(f"matplotlib.{name}")
    except ImportError as error:
        raise ImportError(
            f"{what} needs matplotlib, which is not installed. Install it with `pip install polykeras[plots]`, or "
            "`pip install matplotlib`."
        ) from error


def plot_image_gallery(
    images: ArrayLike,
    y_true: ArrayLike | None = None,
    y_pred: ArrayLike | None = None,
    label_map: Mapping[Any, str] | None = None,
    rows: int | None = None,
    cols: int | None = None,
    value_range: Sequence[float] = (0, 255),
    scale: float = 2,
    path: str | os.PathLike[str] | None = None,
    show: bool | None = None,
    transparent: bool = True,
    dpi: int = 60,
    legend_handles: Sequence[Any] | None = None,
    data_format: str | None = None,
) -> None:
    """Show images in a grid, or write the picture of the grid to a file.

    Args:
        images: `(batch, height, width, channels)`; or channels first.
        y_true: the true class of each image, `(batch,)`, for its title.
        y_pred: the predicted classes.
        label_map: the names of classes.
        rows: the number of rows of the grid; by default, the grid is roughly a square.
        cols: the number of columns of the grid; by default, all images fit. Images that do not fit are left out.
        value_range: the smallest and the largest value of a pixel.
        scale: the size of one image, in inches.
        path: the file to write instead of showing the picture.
        show: whether to show the picture; by default if there is no `path`. If neither is done, the figure stays the
            current one of matplotlib.
        transparent: whether the background of the file is transparent.
        dpi: pixels per inch of the file.
        legend_handles: handles of matplotlib for a legend.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: if `path` is given together with `show`, a class has no name, or `images` is not a batch.
    """
    plt = matplotlib_module("pyplot", "plot_image_gallery")
    if path is not None and show:
        raise ValueError("plot_image_gallery: `path` writes a file and `show` opens a window; pass one of them.")
    if label_map is None and (y_true is not None or y_pred is not None):
        raise ValueError("plot_image_gallery: `y_true` and `y_pred` need `label_map`, the names of the classes.")
    batch = image_batch(images, "plot_image_gallery", data_format)
    rows = rows or math.ceil(math.sqrt(len(batch)))
    cols = cols or math.ceil(len(batch) / rows)
    titles = _titles(len(batch), {"Label": y_true, "Pred": y_pred}, label_map or {})
    pixels = np.asarray(rescaled(batch.astype("float32"), value_range, (0, 255))).clip(0, 255).astype("uint8")
    figure, axes = plt.subplots(
        rows, cols, figsize=(cols * scale, rows * scale), frameon=False, layout="tight", squeeze=False
    )
    figure.subplots_adjust(wspace=0, hspace=0)
    if legend_handles is not None:
        figure.legend(handles=list(legend_handles), loc="lower center")
    for axis in axes.flat:
        axis.axis("off")
    for axis, image, title in zip(axes.flat, pixels, titles, strict=False):
        axis.imshow(image, cmap="gray" if image.shape[-1] == 1 else None)
        axis.set_title(title, fontsize=8)
    if path is not None:
        figure.savefig(path, pad_inches=0, bbox_inches="tight", transparent=transparent, dpi=dpi)
        plt.close(figure)
    elif show or show is None:
        plt.show()
        plt.close(figure)


def _titles(count: int, classes: Mapping[str, Any], names: Mapping[Any, str]) -> list[str]:
    parts: list[list[str]] = [[] for _ in range(count)]
    for word, of_images in classes.items():
        for part, found in zip(parts, [] if of_images is None else ops.convert_to_numpy(of_images), strict=False):
            part.append(f"{word}: {names.get(found.item(), 'Unknown')}")
    return ["  ".join(part) for part in parts]
