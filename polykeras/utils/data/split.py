"""Splitting of data in two parts."""

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
    """Return two data sets with the samples of one. All samples are held in memory.

    Args:
        dataset: an array, a tuple or list of arrays of one length; or a `Dataset`, a `tf.data.Dataset`, or a data set
            of torch. Batches are split into samples, and batched again.
        left_size: the number of samples in the first part, or their fraction.
        right_size: the number of samples in the second part, or their fraction. One of both sizes may be omitted.
        shuffle: whether the samples are shuffled first.
        seed: the seed of their order.
        preferred_backend: accepted as in Keras; the results belong to no framework.

    Returns:
        Two `Dataset`s of samples; or of batches if the data came in batches.

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
        # Drawn with Python's generator, as in Keras, so that the same seed gives the same parts.
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
    """Return the samples, and the size of a batch."""
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
    if hasattr(dataset, "unbatch"):  # a data set of tf.data
        size = getattr(dataset, "_batch_size", None)
        return list(dataset.unbatch() if size is not None else dataset), None if size is None else int(size)
    if hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__"):  # a data set of torch
        return [dataset[i] for i in range(len(dataset))], None
    raise TypeError(
        "split_dataset: `dataset` must be arrays, a Dataset, a tf.data.Dataset or a data set of torch with a length; "
        f"received {type(dataset).__name__}."
    )


def _sizes(left: float | None, right: float | None, total: int) -> tuple[int, int]:
    """Return the number of samples in each part."""
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
            f"{second}. Both must have samples, and together at most all of them."
        )
    return first, second
