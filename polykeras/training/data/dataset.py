"""A data set that makes its batches one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class PyDataset:
    """Base class of data sets that return batch `i` on demand.

    Subclasses define `__getitem__(i)`, which returns `(x, y)` or `(x, y, sample_weight)`, and `__len__`, the number of
    batches. `on_epoch_end` may reorder the data.

    Args:
        workers: the number of threads that make batches. With 1, one thread makes the next batch while a step runs.
        use_multiprocessing: accepted for Keras code; batches are made by threads.
        max_queue_size: the number of batches that may wait.

    Example:
        >>> import numpy as np
        >>> class Ones(PyDataset):
        ...     def __len__(self):
        ...         return 3
        ...     def __getitem__(self, index):
        ...         return np.ones((4, 2)), np.ones((4, 1))
        >>> len(Ones())
        3
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    def __getitem__(self, index: int) -> Any:
        """Return batch `index`."""
        raise NotImplementedError(f"{type(self).__name__} does not implement `__getitem__`.")

    def __len__(self) -> int:
        """Return the number of batches.

        Raises:
            TypeError: the data set is endless.
        """
        count = self.num_batches
        if count is None:
            raise TypeError(f"{type(self).__name__} has no end, and no length.")
        return count

    @property
    def num_batches(self) -> int | None:
        """The number of batches; None for an endless data set.

        Raises:
            NotImplementedError: the class defines neither `__len__` nor `num_batches`.
        """
        if type(self).__len__ is PyDataset.__len__:
            raise NotImplementedError(f"{type(self).__name__} implements neither `__len__` nor `num_batches`.")
        return len(self)

    def on_epoch_begin(self) -> None:
        """Called before the first batch of an epoch."""

    def on_epoch_end(self) -> None:
        """Called after the last batch of an epoch."""

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))
