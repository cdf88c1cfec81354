"""Endless batches of images from arrays, which `fit` accepts too."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from polykeras import config
from polykeras.common.types import ArrayLike
from polykeras.preprocessing.iterators import Iterator

if TYPE_CHECKING:
    from polykeras.preprocessing.generator import ImageDataGenerator


class NumpyArrayIterator(Iterator):
    """Batches of images from an array; see `ImageDataGenerator.flow`.

    Args:
        x: images `(n, ...)`; or a tuple of these and other arrays, which are not changed.
        y: targets; None for none.
        image_data_generator: the generator that changes the images.
        batch_size: see `flow`.
        shuffle: see `flow`.
        sample_weight: see `flow`.
        seed: see `flow`.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.
        save_to_dir: see `flow`.
        save_prefix: see `flow`.
        save_format: see `flow`.
        subset: see `flow`.
        ignore_class_split: see `flow`.
        dtype: the dtype of the images; by default the default float dtype.

    Raises:
        ValueError: if the lengths, the rank or the subset do not fit.
    """

    def __init__(
        self,
        x: ArrayLike | Sequence[ArrayLike],
        y: ArrayLike | None,
        image_data_generator: ImageDataGenerator,
        batch_size: int = 32,
        shuffle: bool = False,
        sample_weight: ArrayLike | None = None,
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
            "ignore_class_split=True if the targets are not classes."
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
