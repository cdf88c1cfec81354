"""Images changed at random while a model trains, as Keras 2 did. New code takes layers such as `RandomRotation`."""

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
    """Changes images at random and brings them to scale, batch by batch.

    Random numbers are those of NumPy's global generator.

    Args:
        featurewise_center: whether the mean of the data, by channel, is taken off; needs `fit`.
        samplewise_center: whether its own mean is taken off each image.
        featurewise_std_normalization: whether images are divided by the deviation of the data; needs `fit`.
        samplewise_std_normalization: whether each image is divided by its own deviation.
        zca_whitening: whether pixels are decorrelated (A. Krizhevsky, 2009); needs `fit`.
        zca_epsilon: added to the singular values.
        rotation_range: degrees that images are turned by at most.
        width_shift_range: how far they are shifted to the sides at most: a share of the width below 1, else pixels; or
            a list of distances to choose from.
        height_shift_range: the same, up and down.
        brightness_range: two factors between which brightness lies.
        shear_range: degrees that they are sheared by at most.
        zoom_range: how far zoom is from 1 at most, or two factors between which it lies.
        channel_shift_range: what is added to all pixels at most.
        fill_mode: what lies beyond the border, see `apply_affine_transform`.
        cval: the value there for `"constant"`.
        horizontal_flip: whether half of the images have left and right exchanged.
        vertical_flip: whether half of them have top and bottom exchanged.
        rescale: a factor for all values, after the other changes.
        preprocessing_function: called with each image before `rescale`; gives one of the same shape.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        validation_split: the share of the images that is held out, see `subset` of the `flow` methods.
        interpolation_order: see `order` of `apply_affine_transform`.
        dtype: of the batches; the default float dtype by default.

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
        """Warn of what other arguments switch on or off."""
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
        """Return batches of images that lie in an array.

        Args:
            x: images of 4 axes; or a tuple of these and other arrays, which are not changed.
            y: targets; None for batches of images alone.
            batch_size: images in a batch.
            shuffle: whether each epoch has an order of its own.
            sample_weight: a weight for each image.
            seed: of the orders and changes.
            save_to_dir: a folder where the images are written to, for a look at them.
            save_prefix: how the names of these files begin.
            save_format: their format.
            ignore_class_split: whether the parts may have different targets.
            subset: `"training"` or `"validation"`, where there is a `validation_split`.

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
        """Return batches of the image files in a folder for each class.

        Args:
            directory: the folder with the classes' folders.
            target_size: `(height, width)` that all images are brought to.
            color_mode: `"grayscale"`, `"rgb"` or `"rgba"`.
            classes: the classes' folders in their order; the sorted ones by default.
            class_mode: what the targets are: `"categorical"` one-hot, `"binary"` and `"sparse"` numbers, `"input"` the
                images themselves, None for none.
            batch_size: images in a batch.
            shuffle: whether each epoch has an order of its own.
            seed: of the orders and changes.
            save_to_dir: see `flow`.
            save_prefix: see `flow`.
            save_format: see `flow`.
            follow_links: whether folders that are links are looked into.
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
        """Return batches of the image files that a frame of pandas names, with targets from its columns.

        Args:
            dataframe: the frame.
            directory: the folder that the names begin in; none for whole paths.
            x_col: the column of the names.
            y_col: the column of the targets, or a list of them.
            weight_col: the column of weights; None for none.
            target_size: see `flow_from_directory`.
            color_mode: see there.
            classes: the names of the classes in their order; the sorted ones by default.
            class_mode: as there; `"raw"` for the values of `y_col`, `"multi_output"` for a list of them by column.
            batch_size: see there.
            shuffle: see there.
            seed: see there.
            save_to_dir: see `flow`.
            save_prefix: see `flow`.
            save_format: see `flow`.
            subset: see `flow`.
            interpolation: see `load_img`.
            validate_filenames: whether names without a file are left out.
            **kwargs: `has_ext`, `sort` and `drop_duplicates` of older code, which mean nothing.

        Raises:
            ValueError: if a mode or the subset is unknown.
            TypeError: if a column is of another kind, or an argument is unknown.
        """
        for name in kwargs:
            if name not in ("has_ext", "sort", "drop_duplicates"):
                raise TypeError(f"flow_from_dataframe: unknown argument {name!r}.")
            warnings.warn(f"flow_from_dataframe: {name!r} means nothing.", DeprecationWarning, stacklevel=2)
        class_mode = "raw" if class_mode == "other" else class_mode  # its name in older code
        return DataFrameIterator(**self._given(locals()))

    def _given(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return arguments of a `flow` method, by name as `locals()` has them, with what this generator gives."""
        arguments = {name: value for name, value in given.items() if name not in ("self", "kwargs", "name")}
        return arguments | {"image_data_generator": self, "data_format": self.data_format, "dtype": self.dtype}


def _zoom_range(zoom: Any) -> list[float]:
    if isinstance(zoom, (float, int)):
        return [1 - zoom, 1 + zoom]
    if len(zoom) == 2 and all(isinstance(value, (float, int)) for value in zoom):
        return [zoom[0], zoom[1]]
    raise ValueError(f"`zoom_range` must be a number or two numbers; received {zoom}.")
