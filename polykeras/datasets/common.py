"""The common part of the data sets."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from polykeras.utils.files import get_file

Split: TypeAlias = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

_FOLDER = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"


def fetch(path: str, file: str, file_hash: str | None = None, **options: Any) -> str:
    """Return the path of a file in the folder where Keras's data sets are published.

    Args:
        path: its name in the cache.
        file: its name in that folder.
        file_hash: its expected hash.
        **options: arguments of `get_file`.
    """
    return get_file(path, origin=_FOLDER + file, file_hash=file_hash, **options)


def shuffled_split(x: np.ndarray, y: np.ndarray, test_split: float, seed: int) -> Split:
    """Return rows in a random order, the last of them as test data.

    Args:
        x: the inputs.
        y: the targets, of the same length.
        test_split: the fraction of the test data, in [0, 1).
        seed: the seed of the order.

    Raises:
        ValueError: if `test_split` is out of range.
    """
    if not 0 <= test_split < 1:
        raise ValueError(f"test_split must be at least 0 and below 1; received {test_split}.")
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)
    cut = int(len(x) * (1 - test_split))
    train, test = order[:cut], order[cut:]
    return (x[train], y[train]), (x[test], y[test])
