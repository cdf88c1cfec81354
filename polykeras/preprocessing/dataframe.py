"""Batches of image files that are named in a pandas data frame."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from polykeras.preprocessing.directory_iterator import BatchFromFilesMixin
from polykeras.preprocessing.iterators import Iterator

if TYPE_CHECKING:
    from polykeras.preprocessing.generator import ImageDataGenerator

_WITHOUT_CLASSES = ("input", "multi_output", "raw", None)


class DataFrameIterator(BatchFromFilesMixin, Iterator):
    """Batches of image files and targets from a data frame; see `ImageDataGenerator.flow_from_dataframe`.

    Args:
        dataframe: the data frame.
        directory: see `flow_from_dataframe`.
        image_data_generator: the generator that changes the images; None for none.
        x_col: see `flow_from_dataframe`.
        y_col: see `flow_from_dataframe`.
        weight_col: see `flow_from_dataframe`.
        target_size: see `flow_from_dataframe`.
        color_mode: see `flow_from_dataframe`.
        classes: see `flow_from_dataframe`.
        class_mode: see `flow_from_dataframe`.
        batch_size: see `flow_from_dataframe`.
        shuffle: see `flow_from_dataframe`.
        seed: see `flow_from_dataframe`.
        data_format: `"channels_last"` or `"channels_first"`.
        save_to_dir: see `flow_from_dataframe`.
        save_prefix: see `flow_from_dataframe`.
        save_format: see `flow_from_dataframe`.
        subset: see `flow_from_dataframe`.
        interpolation: see `flow_from_dataframe`.
        keep_aspect_ratio: see `load_img`.
        dtype: the dtype of the batches.
        validate_filenames: see `flow_from_dataframe`.
    """

    allowed_class_modes = ("binary", "categorical", "sparse", *_WITHOUT_CLASSES)

    def __init__(
        self,
        dataframe: Any,
        directory: str | os.PathLike[str] | None = None,
        image_data_generator: ImageDataGenerator | None = None,
        x_col: str = "filename",
        y_col: Any = "class",
        weight_col: str | None = None,
        target_size: Sequence[int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        data_format: str = "channels_last",
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: str = "float32",
        validate_filenames: bool = True,
    ) -> None:
        self.set_processing_attrs(
            image_data_generator,
            target_size,
            color_mode,
            data_format,
            save_to_dir,
            save_prefix,
            save_format,
            subset,
            interpolation,
            keep_aspect_ratio,
        )
        self.directory = os.fspath(directory or "")
        self.class_mode = class_mode
        self.dtype = dtype
        self._check(dataframe, x_col, y_col, weight_col, classes)
        frame = self._with_files(dataframe, x_col) if validate_filenames else dataframe
        has_classes = class_mode not in _WITHOUT_CLASSES
        if has_classes:
            frame, names = _of_classes(frame, y_col, classes)
            self.class_indices = {name: i for i, name in enumerate(names)}
        if self.split is not None:
            frame = frame.iloc[int(self.split[0] * len(frame)) : int(self.split[1] * len(frame))]
        if has_classes:
            index = self.class_indices
            self.classes = [
                [index[name] for name in label] if isinstance(label, (list, tuple)) else index[label]
                for label in frame[y_col]
            ]
        self.filenames = frame[x_col].tolist()
        self.filepaths = [os.path.join(self.directory, name) for name in self.filenames]
        self.samples = len(self.filenames)
        self.sample_weight = frame[weight_col].to_numpy() if weight_col else None
        if class_mode == "multi_output":
            self.labels = [np.array(frame[column].tolist()) for column in y_col]
        else:
            self.labels = frame[y_col].to_numpy() if class_mode == "raw" else getattr(self, "classes", None)
        known = "validated" if validate_filenames else "non-validated"
        belonging = f" belonging to {len(self.class_indices)} classes" if has_classes else ""
        print(f"Found {self.samples} {known} image filenames{belonging}.")
        super().__init__(self.samples, batch_size, shuffle, seed)

    def _check(self, frame: Any, x_col: str, y_col: Any, weight_col: str | None, classes: Any) -> None:
        mode = self.class_mode
        if mode not in self.allowed_class_modes:
            raise ValueError(f"`class_mode` must be one of {self.allowed_class_modes}; received {mode!r}.")
        if mode == "multi_output" and not isinstance(y_col, list):
            raise TypeError(f'class_mode="multi_output" needs a list of columns as `y_col`; received {y_col!r}.')
        kinds = {"binary": (str,), "sparse": (str,), "categorical": (str, list, tuple)}.get(mode or "")
        for column, allowed in ((x_col, (str,)), (y_col, kinds)):
            if allowed is not None and not all(isinstance(value, allowed) for value in frame[column]):
                raise TypeError(
                    f"The column {column!r} must hold {' or '.join(kind.__name__ for kind in allowed)} only."
                )
        if mode == "binary" and len(set(classes or frame[y_col])) != 2:
            raise ValueError(
                f'class_mode="binary" needs two classes; there are {sorted(set(classes or frame[y_col]))}.'
            )
        if classes and mode in _WITHOUT_CLASSES:
            warnings.warn(f"`classes` has no effect for class_mode={mode!r}.", stacklevel=4)
        if weight_col and frame[weight_col].dtype.kind not in "biuf":
            raise TypeError(f"The column of weights, {weight_col!r}, must hold numbers.")

    def _with_files(self, frame: Any, x_col: str) -> Any:
        there = [
            name.lower().endswith(self.white_list_formats) and os.path.isfile(os.path.join(self.directory, name))
            for name in frame[x_col]
        ]
        if not all(there):
            count = len(there) - sum(there)
            warnings.warn(f"{count} names in the column {x_col!r} are not image files and are left out.", stacklevel=4)
        return frame[there]


def _of_classes(frame: Any, y_col: str, classes: Sequence[str] | None) -> tuple[Any, list[str]]:
    """Return the rows that belong to some classes, and the names of the classes."""
    if not classes:
        return frame, sorted({name for label in frame[y_col] for name in _names(label)})
    kept = [
        [name for name in label if name in classes] if isinstance(label, (list, tuple)) else label
        for label in frame[y_col]
    ]
    frame = frame.assign(**{y_col: kept})
    belongs = [any(name in classes for name in _names(label)) for label in kept]
    return frame[belongs], list(dict.fromkeys(classes))


def _names(label: Any) -> Sequence[str]:
    return label if isinstance(label, (list, tuple)) else [label]
