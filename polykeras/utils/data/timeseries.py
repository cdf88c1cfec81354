"""Windows over a time series."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import random
from polykeras.utils.data.directory import check_format
from polykeras.utils.data.pipeline import Dataset


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> Dataset:
    """Return a data set of windows over data in the order of time.

    Args:
        data: an array `(time, ...)`.
        targets: the target of the window that begins at the same index, `(time, ...)`; None for none.
        sequence_length: the number of points in a window.
        sequence_stride: the distance between the starts of windows.
        sampling_rate: the distance between the points of a window.
        batch_size: the number of windows in a batch; None for single windows.
        shuffle: whether each epoch has a new random order.
        seed: the seed of the order.
        start_index: the index of the first point that is used.
        end_index: the index after the last point that is used.
        format: `"tf"` or `"grain"`, accepted as in Keras; the data set is the same, and belongs to no framework.

    Returns:
        A `Dataset` of arrays `(batch, sequence_length, ...)`, or of pairs of these and targets `(batch, ...)`.

    Raises:
        ValueError: if an index lies outside the data, or the step is not positive.

    Example:
        >>> windows = timeseries_dataset_from_array(np.arange(5), np.arange(5) * 10, sequence_length=3)
        >>> [(x.tolist(), y.tolist()) for x, y in windows]
        [([[0, 1, 2], [1, 2, 3], [2, 3, 4]], [0, 10, 20])]
    """
    check_format(format)
    _check(len(data), sequence_stride, sampling_rate, start_index, end_index)
    start, stop = start_index or 0, len(data) if end_index is None else end_index
    part = np.asarray(data[start:stop])
    labels = None if targets is None else np.asarray(targets[start:stop])
    count = stop - start - (sequence_length - 1) * sampling_rate
    if labels is not None:
        count = min(count, len(labels))
    begins = np.arange(0, count, sequence_stride)
    within = np.arange(sequence_length) * sampling_rate
    seed = random.draw_seed() if shuffle and seed is None else seed
    places = Dataset.from_tensor_slices(begins)
    if shuffle and len(begins):
        places = places.shuffle(len(begins), seed)

    def windows(where: np.ndarray) -> Any:
        x = part[np.asarray(where)[..., None] + within]
        return x if labels is None else (x, labels[where])

    return (places if batch_size is None else places.batch(batch_size)).map(windows)


def _check(length: int, stride: int, rate: int, start: int | None, end: int | None) -> None:
    def wrong(name: str, value: Any, expected: str) -> ValueError:
        return ValueError(f"timeseries_dataset_from_array: `{name}` must be {expected}; received {value}.")

    for name, value in (("sampling_rate", rate), ("sequence_stride", stride)):
        if not 0 < value < length:
            raise wrong(name, value, f"above 0 and below the length of the data, {length}")
    if start is not None and not 0 <= start < length:
        raise wrong("start_index", start, f"at least 0 and below the length of the data, {length}")
    if end is not None and not (start or 0) < end < length:
        raise wrong("end_index", end, f"above `start_index` and below the length of the data, {length}")
