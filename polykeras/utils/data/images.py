"""Images from a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras import config, ops
from polykeras.backend import registry
from polykeras.common.arguments import int_tuple
from polykeras.ops.interpolation import INTERPOLATIONS
from polykeras.utils.data.directory import DirectoryData, check_format, mapped
from polykeras.utils.data.pipeline import Dataset
from polykeras.utils.image import img_to_array, load_img

FORMATS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")


def image_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: int | Sequence[int] = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """Return a data set of the images below a folder: `.bmp`, `.gif` (the first picture), `.jpg` and `.png` files.

    Args:
        directory: the folder; it contains one folder for each class if labels are `"inferred"`.
        labels: `"inferred"`; or a list with the label of each file, in the order of their sorted paths; or None for
            only images.
        label_mode: `"int"` for int32 numbers `(batch,)`, `"categorical"` for one-hot float32 `(batch, classes)`,
            `"binary"` for float32 `(batch, 1)`, or None for no labels.
        class_names: the classes' folders in their order; by default the sorted ones.
        color_mode: `"grayscale"`, `"rgb"` or `"rgba"`.
        batch_size: the number of images in a batch; None for single images.
        image_size: the `(height, width)` to which all images are resized; an int for both.
        shuffle: whether each epoch has a new random order.
        seed: the seed of the orders and of the split.
        validation_split: the fraction of the files for validation.
        subset: `"training"`, `"validation"`, or `"both"` for a list of two data sets.
        interpolation: see `ops.image.resize`.
        follow_links: whether to follow symbolic links to folders.
        crop_to_aspect_ratio: whether images are first cropped, centred, to the aspect ratio of `image_size`.
        pad_to_aspect_ratio: whether images are first padded with black to that aspect ratio.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.
        format: `"tf"` or `"grain"`, accepted as in Keras; the data set is the same, and belongs to no framework.
        verbose: whether to print the number of files.

    Returns:
        A `Dataset` of arrays `(batch, height, width, channels)` from 0 to 255, float32 or, for `"nearest"`, uint8; or
        of pairs of these and labels.

    Raises:
        ValueError: if the arguments do not fit together, or there are no files.
        ImportError: if Pillow is not installed.
    """
    check_format(format)
    height, width = int_tuple(image_size, 2, "image_size")
    if color_mode not in ("grayscale", "rgb", "rgba"):
        raise ValueError(f'`color_mode` must be "grayscale", "rgb" or "rgba"; received {color_mode!r}.')
    interpolation = interpolation.lower()
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"`interpolation` must be one of {', '.join(INTERPOLATIONS)}; received {interpolation!r}.")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("Only one of `crop_to_aspect_ratio` and `pad_to_aspect_ratio` can be True.")
    layout = config.standardize_data_format(data_format)
    files = DirectoryData(
        directory,
        FORMATS,
        "images",
        labels,
        label_mode,
        class_names,
        shuffle,
        seed,
        validation_split,
        subset,
        follow_links,
        verbose,
    )
    dtype = "uint8" if interpolation == "nearest" else "float32"

    def read(path: str) -> np.ndarray:
        image = img_to_array(load_img(path, color_mode), "channels_last", dtype)
        with registry.use_backend("numpy"):  # files are on the host, and threads read them
            resized = ops.image.resize(
                image,
                (height, width),
                interpolation,
                crop_to_aspect_ratio=crop_to_aspect_ratio,
                pad_to_aspect_ratio=pad_to_aspect_ratio,
                data_format="channels_last",
            )
            pixels = ops.convert_to_numpy(resized)
        return pixels.transpose(2, 0, 1) if layout == "channels_first" else pixels

    def build(paths: Dataset) -> Dataset:
        images = mapped(paths, read, threads=-1)
        return images if batch_size is None else images.batch(batch_size)

    return files.datasets(build)
