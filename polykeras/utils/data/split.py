"""Data in two parts."""

from __future__ import annotations

import random as python_random
from typing import Any

import numpy as np

from polykeras.common import nested
from polykeras.training.data.checks import as_array
from polykeras.utils.data.pipeline import Dataset


def split_dataset(
    dataset: Any,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Dataset, Dataset]:
    """Return two data sets of the samples of one; they are all held in memory.

    Args:
        dataset: an array, a tuple or list of arrays of one length; or a `Dataset`, a `tf.data.Dataset`, or a data set
            of torch. Batches are taken apart, and put together anew.
        left_size: samples in the first part, or their share.
        right_size: samples in the second part, or their share. One of both sizes may be left out.
        shuffle: whether the samples are shuffled before.
        seed: of their order.
        preferred_backend: for code that says it; what is returned is of no framework.

    Returns:
        Two `Dataset`s of samples; or of batches where the data came in batches.

    Raises:
        ValueError: if there are no samples, or the sizes do not fit.
        TypeError: if the data or the sizes are of another kind.

    Example:
        >>> left, right = split_dataset(np.arange(10), left_size=0.8)
        >>> len(left), len(right)
        (8, 2)
    """
    samples, batch_size = _samples(dataset)
    if not samples:
        raise ValueError("split_dataset: the data are empty.")
    if shuffle:
        # As Keras does, with Python's generator: the same seed gives the same parts.
        seed = python_random.randint(0, 10**6) if seed is None else seed
        python_random.Random(seed).shuffle(samples)
    left, right = _sizes(left_size, right_size, len(samples))
    parts = []
    for part in (samples[:left], samples[len(samples) - right :]):
        rows = nested.map_structure(lambda *leaves: np.stack([as_array(leaf) for leaf in leaves]), *part)
        made = Dataset.from_tensor_slices(rows)
        parts.append(made if batch_size is None else made.batch(batch_size))
    return parts[0], parts[1]


def _samples(dataset: Any) -> tuple[list[Any], int | None]:
    """Return the samples, and how many were in a batch."""
    if isinstance(dataset, (tuple, list)):
        arrays = list(map(as_array, dataset))
        if len({len(array) for array in arrays}) > 1:
            raise ValueError(f"split_dataset: arrays of one length are needed; received {[len(a) for a in arrays]}.")
        return list(zip(*arrays, strict=True)), None
    if isinstance(dataset, np.ndarray):
        return list(dataset), None
    if isinstance(dataset, Dataset):
        size = dataset.batch_size
        return list(dataset if size is None else dataset.unbatch()), size
    if hasattr(dataset, "unbatch"):  # of tf.data
        size = getattr(dataset, "_batch_size", None)
        return list(dataset.unbatch() if size is not None else dataset), None if size is None else int(size)
    if hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__"):  # of torch
        return [dataset[i] for i in range(len(dataset))], None
    raise TypeError(
        "split_dataset: `dataset` must be arrays, a Dataset, a tf.data.Dataset or a data set of torch with a length; "
        f"received {type(dataset).__name__}."
    )


def _sizes(left: float | None, right: float | None, total: int) -> tuple[int, int]:
    """Return how many samples there are in each part."""
    if left is None and right is None:
        raise ValueError("split_dataset: pass `left_size`, `right_size` or both.")
    counts: list[int | None] = []
    for name, size in (("left_size", left), ("right_size", right)):
        if size is None:
            counts.append(None)
            continue
        if type(size) not in (int, float):
            raise TypeError(f"split_dataset: `{name}` must be an int, a float or None; received {size!r}.")
        if not 0 < size < (total if isinstance(size, int) else 1):
            raise ValueError(
                f"split_dataset: `{name}` must be an int above 0 and below {total}, the number of samples, or a float "
                f"between 0 and 1; received {size}."
            )
        counts.append(size if isinstance(size, int) else round(size * total))
    first = total - (counts[1] or 0) if counts[0] is None else counts[0]
    second = total - first if counts[1] is None else counts[1]
    if first + second > total or not first or not second:
        raise ValueError(
            f"split_dataset: of {total} samples, left_size={left} and right_size={right} make parts of {first} and "
            f"{second}. Both must have samples, and no more than there are."
        )
    return first, second
