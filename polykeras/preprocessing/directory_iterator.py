"""Endless batches of images from files, which `fit` accepts too."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from polykeras import config
from polykeras.preprocessing.iterators import Iterator
from polykeras.utils.data.directory import files_below
from polykeras.utils.image import img_to_array, load_img

if TYPE_CHECKING:
    from polykeras.preprocessing.generator import ImageDataGenerator

_CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}


class BatchFromFilesMixin:
    """The common part of iterators over image files."""

    filepaths: list[str]
    classes: Any
    class_indices: dict[str, int]
    class_mode: str | None
    dtype: Any
    labels: Any
    sample_weight: Any

    def set_processing_attrs(
        self,
        image_data_generator: ImageDataGenerator | None,
        target_size: Sequence[int],
        color_mode: str,
        data_format: str,
        save_to_dir: str | None,
        save_prefix: str,
        save_format: str,
        subset: str | None,
        interpolation: str,
        keep_aspect_ratio: bool,
    ) -> None:
        """Set how files become batches.

        Args:
            image_data_generator: the generator that changes the images; None for none.
            target_size: `(height, width)`.
            color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
            data_format: `"channels_last"` or `"channels_first"`.
            save_to_dir: a folder to which the images are written; None for none.
            save_prefix: the prefix of the names of these files.
            save_format: the format of these files.
            subset: `"training"`, `"validation"` or None.
            interpolation: see `load_img`.
            keep_aspect_ratio: see `load_img`.

        Raises:
            ValueError: if the colour mode or the subset is unknown.
        """
        if color_mode not in _CHANNELS:
            raise ValueError(f"`color_mode` must be one of {', '.join(_CHANNELS)}; received {color_mode!r}.")
        if subset not in ("training", "validation", None):
            raise ValueError(f'`subset` must be "training", "validation" or None; received {subset!r}.')
        self.image_data_generator = image_data_generator
        self.target_size = tuple(target_size)
        self.keep_aspect_ratio = keep_aspect_ratio
        self.color_mode = color_mode
        self.data_format = data_format
        channels = (_CHANNELS[color_mode],)
        first = data_format == "channels_first"
        self.image_shape = channels + self.target_size if first else self.target_size + channels
        self.save_to_dir = save_to_dir
        self.save_prefix = save_prefix
        self.save_format = save_format
        self.interpolation = interpolation
        self.subset = subset
        share = 0.0 if image_data_generator is None else image_data_generator._validation_split
        self.split = None if subset is None else (0, share) if subset == "validation" else (share, 1)

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        batch = np.zeros((len(index_array), *self.image_shape), dtype=self.dtype)
        for place, row in zip(batch, index_array, strict=True):
            picture = load_img(
                self.filepaths[row], self.color_mode, self.target_size, self.interpolation, self.keep_aspect_ratio
            )
            x = img_to_array(picture, data_format=self.data_format)
            if self.image_data_generator is not None:
                x = self.image_data_generator.random_transform(x)
                x = self.image_data_generator.standardize(x)
            place[...] = x
        self._keep_pictures(batch, index_array, 10**7)  # type: ignore[attr-defined]
        if self.class_mode is None:
            return batch
        y = self._targets_of(batch, index_array)
        return (batch, y) if self.sample_weight is None else (batch, y, self.sample_weight[index_array])

    def _targets_of(self, batch: np.ndarray, rows: np.ndarray) -> Any:
        if self.class_mode == "input":
            return batch.copy()
        if self.class_mode == "multi_output":
            return [output[rows] for output in self.labels]
        if self.class_mode == "raw":
            return self.labels[rows]
        if self.class_mode in ("binary", "sparse"):
            return np.array([self.classes[row] for row in rows], dtype=self.dtype)
        y = np.zeros((len(rows), len(self.class_indices)), dtype=self.dtype)
        for place, row in zip(y, rows, strict=True):
            place[self.classes[row]] = 1.0  # one number, or a list of them
        return y


class DirectoryIterator(BatchFromFilesMixin, Iterator):
    """Batches of the image files in one folder for each class; see `ImageDataGenerator.flow_from_directory`.

    Args:
        directory: the folder that contains the classes' folders.
        image_data_generator: the generator that changes the images; None for none.
        target_size: see `flow_from_directory`.
        color_mode: see `flow_from_directory`.
        classes: see `flow_from_directory`.
        class_mode: see `flow_from_directory`.
        batch_size: see `flow_from_directory`.
        shuffle: see `flow_from_directory`.
        seed: see `flow_from_directory`.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.
        save_to_dir: see `flow_from_directory`.
        save_prefix: see `flow_from_directory`.
        save_format: see `flow_from_directory`.
        follow_links: see `flow_from_directory`.
        subset: see `flow_from_directory`.
        interpolation: see `flow_from_directory`.
        keep_aspect_ratio: see `flow_from_directory`.
        dtype: the dtype of the batches; by default the default float dtype.

    Raises:
        ValueError: if `class_mode` is unknown.
    """

    allowed_class_modes = ("categorical", "binary", "sparse", "input", None)
    sample_weight = None

    def __init__(
        self,
        directory: str | os.PathLike[str],
        image_data_generator: ImageDataGenerator | None,
        target_size: Sequence[int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: str | None = None,
    ) -> None:
        self.set_processing_attrs(
            image_data_generator,
            target_size,
            color_mode,
            config.standardize_data_format(data_format),
            save_to_dir,
            save_prefix,
            save_format,
            subset,
            interpolation,
            keep_aspect_ratio,
        )
        if class_mode not in self.allowed_class_modes:
            raise ValueError(f"`class_mode` must be one of {self.allowed_class_modes}; received {class_mode!r}.")
        self.directory = os.fspath(directory)
        self.class_mode = class_mode
        self.dtype = dtype or config.floatx()
        folders = sorted(
            name for name in os.listdir(self.directory) if os.path.isdir(os.path.join(self.directory, name))
        )
        names = list(classes or folders)
        self.num_classes = len(names)
        self.class_indices = {name: i for i, name in enumerate(names)}
        found = [self._files_of(name, follow_links) for name in names]
        self.filepaths = [path for paths in found for path in paths]
        self.filenames = [os.path.relpath(path, self.directory) for path in self.filepaths]
        self.samples = len(self.filenames)
        self.classes = np.repeat(np.arange(len(names), dtype="int32"), [len(paths) for paths in found])
        self.labels = self.classes
        print(f"Found {self.samples} images belonging to {self.num_classes} classes.")
        super().__init__(self.samples, batch_size, shuffle, seed)

    def _files_of(self, name: str, follow_links: bool) -> list[str]:
        paths = files_below(os.path.join(self.directory, name), self.white_list_formats, follow_links)
        if self.split is None:
            return paths
        return paths[int(self.split[0] * len(paths)) : int(self.split[1] * len(paths))]
