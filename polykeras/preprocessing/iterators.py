"""Endless batches of images: the base of iterators over arrays and files."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator as IteratorOf
from typing import TYPE_CHECKING, Any

import numpy as np

from polykeras.utils import PyDataset
from polykeras.utils.image import array_to_img

if TYPE_CHECKING:
    pass


class Iterator(PyDataset):
    """Batches of numbered samples, in an order drawn by NumPy's global generator, by index or one after another.

    Subclasses write `_get_batches_of_transformed_samples(index_array)`.

    Args:
        n: the number of samples.
        batch_size: the number of samples in a batch.
        shuffle: whether each epoch has a new order.
        seed: set again for each batch, plus the number of batches so far; None leaves the generator unchanged.
        **kwargs: see `PyDataset`.
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
        """Restart the epoch."""
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
        """Return the next batch; the batches never end."""
        with self.lock:
            rows = next(self.index_generator)
        return self._get_batches_of_transformed_samples(rows)

    def next(self) -> Any:
        """Return the next batch, as legacy code calls it."""
        return next(self)

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not implement `_get_batches_of_transformed_samples`.")

    def _keep_pictures(self, batch: np.ndarray, rows: np.ndarray, most: float) -> None:
        """Write the images of a batch to `save_to_dir`, for inspection."""
        folder: Any = getattr(self, "save_to_dir", None)
        if not folder:
            return
        for image, row in zip(batch, rows, strict=True):
            name = f"{self.save_prefix}_{row}_{np.random.randint(most)}.{self.save_format}"  # type: ignore[attr-defined]
            picture = array_to_img(image, self.data_format, scale=True)  # type: ignore[attr-defined]
            picture.save(os.path.join(folder, name))
