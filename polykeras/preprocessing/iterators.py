"""Batches of images without end, from arrays and from folders; `fit` takes them too."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator as IteratorOf
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from polykeras import config
from polykeras.utils import PyDataset
from polykeras.utils.data.directory import files_below
from polykeras.utils.image import array_to_img, img_to_array, load_img

if TYPE_CHECKING:
    from polykeras.preprocessing.generator import ImageDataGenerator

_CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}


class Iterator(PyDataset):
    """Batches of numbered samples, in an order that NumPy's global generator draws: by number, or one after the other.

    Subclasses write `_get_batches_of_transformed_samples(index_array)`.

    Args:
        n: how many samples there are.
        batch_size: samples in a batch.
        shuffle: whether each epoch has an order of its own.
        seed: set anew for each batch, the number of batches so far added; None to leave the generator alone.
        **kwargs: as for `PyDataset`.
    """

    white_list_formats = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")

    def __init__(self, n: int, batch_size: int, shuffle: bool, seed: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = n
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.batch_index = 0
        self.total_batches_seen = 0
        self.lock = threading.Lock()
        self.index_array: np.ndarray | None = None
        self.index_generator = self._flow_index()

    def _set_index_array(self) -> np.ndarray:
        self.index_array = np.random.permutation(self.n) if self.shuffle else np.arange(self.n)
        return self.index_array

    def _count(self) -> None:
        if self.seed is not None:
            np.random.seed(self.seed + self.total_batches_seen)

    def __getitem__(self, idx: int) -> Any:
        """Return batch `idx` of the epoch."""
        if idx >= len(self):
            raise ValueError(f"There are {len(self)} batches; received the number {idx}.")
        self._count()
        self.total_batches_seen += 1
        order = self._set_index_array() if self.index_array is None else self.index_array
        return self._get_batches_of_transformed_samples(order[self.batch_size * idx : self.batch_size * (idx + 1)])

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return -(-self.n // self.batch_size)

    def on_epoch_end(self) -> None:
        """Draw the order of the next epoch."""
        self._set_index_array()

    def reset(self) -> None:
        """Begin an epoch anew."""
        self.batch_index = 0

    def _flow_index(self) -> IteratorOf[np.ndarray]:
        while True:
            self._count()
            if self.batch_index == 0 or self.index_array is None:
                self._set_index_array()
            order: Any = self.index_array
            first = self.batch_index * self.batch_size % self.n if self.n else 0
            self.batch_index = self.batch_index + 1 if self.n > first + self.batch_size else 0
            self.total_batches_seen += 1
            yield order[first : first + self.batch_size]

    def __iter__(self) -> IteratorOf[Any]:
        return self

    def __next__(self) -> Any:
        """Return the next batch; there is no last one."""
        with self.lock:
            rows = next(self.index_generator)
        return self._get_batches_of_transformed_samples(rows)

    def next(self) -> Any:
        """Return the next batch, as in older code."""
        return next(self)

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not implement `_get_batches_of_transformed_samples`.")

    def _keep_pictures(self, batch: np.ndarray, rows: np.ndarray, most: float) -> None:
        """Write the images of a batch to `save_to_dir`, for a look at what the generator makes of them."""
        folder: Any = getattr(self, "save_to_dir", None)
        if not folder:
            return
        for image, row in zip(batch, rows, strict=True):
            name = f"{self.save_prefix}_{row}_{np.random.randint(most)}.{self.save_format}"  # type: ignore[attr-defined]
            picture = array_to_img(image, self.data_format, scale=True)  # type: ignore[attr-defined]
            picture.save(os.path.join(folder, name))


class BatchFromFilesMixin:
    """What iterators over image files share."""

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
        """Keep how files become batches.

        Args:
            image_data_generator: what changes the images; None for nothing.
            target_size: `(height, width)`.
            color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
            data_format: `"channels_last"` or `"channels_first"`.
            save_to_dir: a folder where the images are written to; None for none.
            save_prefix: how the names of these files begin.
            save_format: their format.
            subset: `"training"`, `"validation"` or None.
            interpolation: see `load_img`.
            keep_aspect_ratio: see `load_img`.

        Raises:
            ValueError: another colour mode or subset.
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
            place[self.classes[row]] = 1.0  # a number, or a list of them
        return y


class DirectoryIterator(BatchFromFilesMixin, Iterator):
    """Batches of the image files in a folder for each class; see `ImageDataGenerator.flow_from_directory`.

    Args:
        directory: the folder with the classes' folders.
        image_data_generator: what changes the images; None for nothing.
        target_size: see `flow_from_directory`.
        color_mode: see there.
        classes: see there.
        class_mode: see there.
        batch_size: see there.
        shuffle: see there.
        seed: see there.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        save_to_dir: see there.
        save_prefix: see there.
        save_format: see there.
        follow_links: see there.
        subset: see there.
        interpolation: see there.
        keep_aspect_ratio: see there.
        dtype: of the batches; the default float dtype by default.
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


class NumpyArrayIterator(Iterator):
    """Batches of images that lie in an array; see `ImageDataGenerator.flow`.

    Args:
        x: images `(n, ...)`; or a tuple of these and other arrays, which are not changed.
        y: targets; None for none.
        image_data_generator: what changes the images.
        batch_size: see `flow`.
        shuffle: see there.
        sample_weight: see there.
        seed: see there.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        save_to_dir: see there.
        save_prefix: see there.
        save_format: see there.
        subset: see there.
        ignore_class_split: see there.
        dtype: of the images; the default float dtype by default.

    Raises:
        ValueError: lengths, rank or subset do not fit.
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        image_data_generator: ImageDataGenerator,
        batch_size: int = 32,
        shuffle: bool = False,
        sample_weight: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        ignore_class_split: bool = False,
        dtype: str | None = None,
    ) -> None:
        self.dtype = dtype or config.floatx()
        others: list[Any] = []
        if isinstance(x, (tuple, list)):
            x, others = x[0], list(x[1]) if isinstance(x[1], list) else [x[1]]
        parts = {"x": x, "y": y, "sample_weight": sample_weight, **{f"x[1][{i}]": o for i, o in enumerate(others)}}
        arrays = {name: np.asarray(part) for name, part in parts.items() if part is not None}
        if len({len(array) for array in arrays.values()}) > 1:
            shown = ", ".join(f"{name}: {len(array)}" for name, array in arrays.items())
            raise ValueError(f"All arrays must have the same length; received {shown}.")
        if subset is not None:
            share = image_data_generator._validation_split
            arrays = _part(arrays, subset, share, ignore_class_split)
        self.x = arrays.pop("x").astype(self.dtype)
        self.y = arrays.pop("y", None)
        self.sample_weight = arrays.pop("sample_weight", None)
        self.x_misc = list(arrays.values())
        self.data_format = config.standardize_data_format(data_format)
        _check_images(self.x, self.data_format)
        self.image_data_generator = image_data_generator
        self.save_to_dir = save_to_dir
        self.save_prefix = save_prefix
        self.save_format = save_format
        super().__init__(len(self.x), batch_size, shuffle, seed)

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        batch = np.zeros((len(index_array), *self.x.shape[1:]), dtype=self.dtype)
        for place, row in zip(batch, index_array, strict=True):
            changed = self.image_data_generator.random_transform(self.x[row])
            place[...] = self.image_data_generator.standardize(changed.copy())
        self._keep_pictures(batch, index_array, 10**4)
        x = [batch, *(other[index_array] for other in self.x_misc)] if self.x_misc else batch
        if self.y is None:
            return x
        y = self.y[index_array]
        return (x, y) if self.sample_weight is None else (x, y, self.sample_weight[index_array])


def _part(arrays: dict[str, np.ndarray], subset: str, share: float, any_classes: bool) -> dict[str, np.ndarray]:
    if subset not in ("training", "validation"):
        raise ValueError(f'`subset` must be "training", "validation" or None; received {subset!r}.')
    cut = int(len(arrays["x"]) * share)
    y = arrays.get("y")
    if y is not None and not any_classes and not np.array_equal(np.unique(y[:cut]), np.unique(y[cut:])):
        raise ValueError(
            "The training and the validation part have different classes. Shuffle the data first, or pass "
            "ignore_class_split=True where targets are no classes."
        )
    part = slice(cut) if subset == "validation" else slice(cut, None)
    return {name: array[part] for name, array in arrays.items()}


def _check_images(x: np.ndarray, data_format: str) -> None:
    if x.ndim != 4:
        raise ValueError(f"Expected images of 4 axes; received an array of the shape {x.shape}.")
    channels = x.shape[1 if data_format == "channels_first" else 3]
    if channels not in (1, 3, 4):
        warnings.warn(
            f"Expected images of 1, 3 or 4 channels, {data_format}; received an array of the shape {x.shape}.",
            stacklevel=4,
        )
