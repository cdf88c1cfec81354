"""Random changes of images during training, as in Keras 2. New code uses layers such as `RandomRotation`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from polykeras import config
from polykeras.common.types import ArrayLike
from polykeras.preprocessing.dataframe import DataFrameIterator
from polykeras.preprocessing.directory_iterator import DirectoryIterator
from polykeras.preprocessing.numpy_iterator import NumpyArrayIterator
from polykeras.preprocessing.standardization import Standardization


class ImageDataGenerator(Standardization):
    """Changes images at random, and normalizes them, batch by batch.

    Random numbers come from NumPy's global generator.

    Args:
        featurewise_center: whether to subtract the mean of the data, by channel; needs `fit`.
        samplewise_center: whether to subtract from each image its own mean.
        featurewise_std_normalization: whether to divide by the standard deviation of the data; needs `fit`.
        samplewise_std_normalization: whether to divide each image by its own standard deviation.
        zca_whitening: whether to decorrelate pixels (A. Krizhevsky, 2009); needs `fit`.
        zca_epsilon: a number that is added to the singular values.
        rotation_range: the largest rotation, in degrees.
        width_shift_range: the largest horizontal shift: below 1 a fraction of the width, otherwise pixels; or a list of
            shifts to choose from.
        height_shift_range: the largest vertical shift, in the same form.
        brightness_range: the smallest and the largest factor of the brightness.
        shear_range: the largest shear angle, in degrees.
        zoom_range: the largest difference of the zoom from 1, or the smallest and the largest zoom.
        channel_shift_range: the largest number to add to all pixels.
        fill_mode: how to continue beyond the border, see `apply_affine_transform`.
        cval: the value for `"constant"`.
        horizontal_flip: whether to mirror half of the images horizontally.
        vertical_flip: whether to mirror half of the images vertically.
        rescale: a factor of all values, applied after the other changes.
        preprocessing_function: called with each image before `rescale`; returns an image of the same shape.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.
        validation_split: the fraction of the images that is held out, see `subset` of the `flow` methods.
        interpolation_order: see `order` of `apply_affine_transform`.
        dtype: the dtype of the batches; by default the default float dtype.

    Raises:
        ValueError: if an argument has the wrong form.
    """

    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0,
        width_shift_range: Any = 0.0,
        height_shift_range: Any = 0.0,
        brightness_range: Sequence[float] | None = None,
        shear_range: float = 0.0,
        zoom_range: float | Sequence[float] = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Callable[[np.ndarray], np.ndarray] | None = None,
        data_format: str | None = None,
        validation_split: float = 0.0,
        interpolation_order: int = 1,
        dtype: str | None = None,
    ) -> None:
        self.featurewise_center = featurewise_center or zca_whitening or featurewise_std_normalization
        self.samplewise_center = samplewise_center or samplewise_std_normalization
        self.featurewise_std_normalization = featurewise_std_normalization and not zca_whitening
        self.samplewise_std_normalization = samplewise_std_normalization
        self.zca_whitening = zca_whitening
        self.zca_epsilon = zca_epsilon
        self.rotation_range = rotation_range
        self.width_shift_range = width_shift_range
        self.height_shift_range = height_shift_range
        self.shear_range = shear_range
        self.channel_shift_range = channel_shift_range
        self.fill_mode = fill_mode
        self.cval = cval
        self.horizontal_flip = horizontal_flip
        self.vertical_flip = vertical_flip
        self.rescale = rescale
        self.preprocessing_function = preprocessing_function
        self.dtype = dtype or config.floatx()
        self.interpolation_order = interpolation_order
        self.data_format = config.standardize_data_format(data_format)
        first = self.data_format == "channels_first"
        self.channel_axis, self.row_axis, self.col_axis = (1, 2, 3) if first else (3, 1, 2)
        if validation_split and not 0 < validation_split < 1:
            raise ValueError(f"`validation_split` must lie between 0 and 1; received {validation_split}.")
        self._validation_split = validation_split
        self.mean: np.ndarray | None = None
        self.std: np.ndarray | None = None
        self.zca_whitening_matrix: np.ndarray | None = None
        self.zoom_range = _zoom_range(zoom_range)
        if brightness_range is not None and len(brightness_range) != 2:
            raise ValueError(f"`brightness_range` must be two numbers; received {brightness_range}.")
        self.brightness_range = brightness_range
        self._say_what_follows(featurewise_center, samplewise_center, featurewise_std_normalization)

    def _say_what_follows(self, featurewise_center: bool, samplewise_center: bool, featurewise_std: bool) -> None:
        """Warn about switches that other arguments turn on or off."""
        told = []
        if self.featurewise_center and not featurewise_center:
            told.append(
                f"{'zca_whitening' if self.zca_whitening else 'featurewise_std_normalization'} needs "
                "featurewise_center, which is switched on"
            )
        if featurewise_std and self.zca_whitening:
            told.append("zca_whitening switches featurewise_std_normalization off")
        if self.samplewise_center and not samplewise_center:
            told.append("samplewise_std_normalization needs samplewise_center, which is switched on")
        for what in told:
            warnings.warn(f"ImageDataGenerator: {what}.", stacklevel=3)

    def flow(
        self,
        x: ArrayLike | Sequence[ArrayLike],
        y: ArrayLike | None = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: ArrayLike | None = None,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: str | None = None,
    ) -> NumpyArrayIterator:
        """Return batches of images from an array.

        Args:
            x: images of 4 axes; or a tuple of these and other arrays, which are not changed.
            y: targets; None for batches of images only.
            batch_size: the number of images in a batch.
            shuffle: whether each epoch has a new order.
            sample_weight: a weight for each image.
            seed: the seed of the orders and changes.
            save_to_dir: a folder to which the images are written, for inspection.
            save_prefix: the prefix of the names of these files.
            save_format: the format of these files.
            ignore_class_split: whether the parts may have different classes.
            subset: `"training"` or `"validation"`, if there is a `validation_split`.

        Raises:
            ValueError: if the lengths, the rank or the subset do not fit.
        """
        return NumpyArrayIterator(**self._given(locals()))

    def flow_from_directory(
        self,
        directory: str | os.PathLike[str],
        target_size: Sequence[int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
    ) -> DirectoryIterator:
        """Return batches of the image files in one folder for each class.

        Args:
            directory: the folder that contains the classes' folders.
            target_size: the `(height, width)` to which all images are resized.
            color_mode: `"grayscale"`, `"rgb"` or `"rgba"`.
            classes: the classes' folders in their order; by default the sorted ones.
            class_mode: the form of the targets: `"categorical"` for one-hot, `"binary"` and `"sparse"` for numbers,
                `"input"` for the images themselves, None for none.
            batch_size: the number of images in a batch.
            shuffle: whether each epoch has a new order.
            seed: the seed of the orders and changes.
            save_to_dir: see `flow`.
            save_prefix: see `flow`.
            save_format: see `flow`.
            follow_links: whether to follow symbolic links to folders.
            subset: see `flow`.
            interpolation: see `load_img`.
            keep_aspect_ratio: see `load_img`.

        Raises:
            ValueError: if a mode or the subset is unknown.
        """
        return DirectoryIterator(**self._given(locals()))

    def flow_from_dataframe(
        self,
        dataframe: Any,
        directory: str | os.PathLike[str] | None = None,
        x_col: str = "filename",
        y_col: str | Sequence[str] = "class",
        weight_col: str | None = None,
        target_size: Sequence[int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        validate_filenames: bool = True,
        **kwargs: Any,
    ) -> DataFrameIterator:
        """Return batches of the image files named in a pandas data frame, with targets from its columns.

        Args:
            dataframe: the data frame.
            directory: the folder to which the names are relative; None for full paths.
            x_col: the column of the names.
            y_col: the column of the targets, or a list of columns.
            weight_col: the column of the weights; None for none.
            target_size: see `flow_from_directory`.
            color_mode: see `flow_from_directory`.
            classes: the names of the classes in their order; by default the sorted ones.
            class_mode: see `flow_from_directory`; also `"raw"` for the values of `y_col`, and `"multi_output"` for a
                list of them by column.
            batch_size: see `flow_from_directory`.
            shuffle: see `flow_from_directory`.
            seed: see `flow_from_directory`.
            save_to_dir: see `flow`.
            save_prefix: see `flow`.
            save_format: see `flow`.
            subset: see `flow`.
            interpolation: see `load_img`.
            validate_filenames: whether names without a file are left out.
            **kwargs: `has_ext`, `sort` and `drop_duplicates` of older code, which have no effect.

        Raises:
            ValueError: if a mode or the subset is unknown.
            TypeError: if a column is of another kind, or an argument is unknown.
        """
        for name in kwargs:
            if name not in ("has_ext", "sort", "drop_duplicates"):
                raise TypeError(f"flow_from_dataframe: unknown argument {name!r}.")
            warnings.warn(f"flow_from_dataframe: {name!r} means nothing.", DeprecationWarning, stacklevel=2)
        class_mode = "raw" if class_mode == "other" else class_mode  # its legacy name
        return DataFrameIterator(**self._given(locals()))

    def _given(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of a `flow` method, by name (from `locals()`), with those of this generator added."""
        arguments = {name: value for name, value in given.items() if name not in ("self", "kwargs", "name")}
        return arguments | {"image_data_generator": self, "data_format": self.data_format, "dtype": self.dtype}


def _zoom_range(zoom: Any) -> list[float]:
    if isinstance(zoom, (float, int)):
        return [1 - zoom, 1 + zoom]
    if len(zoom) == 2 and all(isinstance(value, (float, int)) for value in zoom):
        return [zoom[0], zoom[1]]
    raise ValueError(f"`zoom_range` must be a number or two numbers; received {zoom}.")
