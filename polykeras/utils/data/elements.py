"""Elements of a data set: combining them into batches, and showing them as NumPy arrays."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, NamedTuple, TypeVar

import numpy as np

from polykeras.training.data.checks import as_array

T = TypeVar("T")


class HostArray(np.ndarray):
    """A NumPy array with the method `numpy()`, for code that was written for `tf.data`."""

    def numpy(self) -> np.ndarray:
        """Return itself as a plain NumPy array."""
        return self.view(np.ndarray)


def as_rows(leaf: Any) -> Any:
    """Return an object with rows in the form that is fastest to index. Texts keep their lengths."""
    if isinstance(leaf, (str, bytes)):
        raise ValueError(f"from_tensor_slices: expected arrays; received {leaf!r}.")
    return as_array(leaf)


class Spec(NamedTuple):
    """The shape and the dtype of a leaf of the elements of a data set."""

    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]


def spec_of(leaf: Any) -> Spec:
    """Return the shape and dtype of a leaf as it is yielded."""
    array = shown(leaf)
    return Spec(array.shape, array.dtype)


def shown(leaf: Any) -> Any:
    """Return a leaf as it is yielded: arrays of any framework become NumPy arrays. A data set stays as it is."""
    if hasattr(type(leaf), "element_spec"):
        return leaf
    array = as_array(leaf)
    if array.dtype.kind in "US" and not isinstance(leaf, np.ndarray):
        array = np.array(leaf, dtype=object)
    return array.view(HostArray)


def stack(leaves: list[Any]) -> np.ndarray:
    """Return leaves of equal shapes as one array; texts as an array of objects."""
    if isinstance(leaves[0], (str, bytes)):
        return np.array(leaves, dtype=object)
    return np.stack([as_array(leaf) for leaf in leaves])


def stack_padded(leaves: list[Any]) -> np.ndarray:
    """Return leaves as one array, each padded with zeros at its ends."""
    arrays = [as_array(leaf) for leaf in leaves]
    result = np.zeros((len(arrays), *np.max([array.shape for array in arrays], axis=0)), arrays[0].dtype)
    for i, array in enumerate(arrays):
        result[i, *map(slice, array.shape)] = array
    return result


def stack_ragged(leaves: list[Any]) -> np.ndarray:
    """Return leaves as one array, or as an array of objects if their shapes differ."""
    arrays = [as_array(leaf) for leaf in leaves]
    if len({array.shape for array in arrays}) == 1:
        return np.stack(arrays)
    result = np.empty(len(arrays), dtype=object)
    result[:] = arrays
    return result


def map_in_threads(function: Callable[[Any], T], items: Iterator[Any], threads: int) -> Iterator[T]:
    """Yield the result of a function for each item, in order. Up to two calls for each thread run ahead."""
    if threads <= 1:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(threads)
    waiting: deque[Future[T]] = deque()
    try:
        for item in items:
            # The context holds the current backend, among others.
            waiting.append(pool.submit(copy_context().run, function, item))
            if len(waiting) >= 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
