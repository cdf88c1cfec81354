"""A data set that is read piece by piece, with the common methods of `tf.data`, over NumPy arrays."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np

from polykeras import random
from polykeras.backend import foreign_data
from polykeras.common import nested
from polykeras.common.arguments import positive_int
from polykeras.utils.data.elements import as_rows, map_in_threads, shown, stack, stack_padded, stack_ragged
from polykeras.utils.data.nesting import INFINITE, UNKNOWN, Nesting, call_on

THREADS = 4  # if the number of parallel calls is left to us


class Dataset(Nesting):
    """A sequence of elements: arrays, or tuples and dictionaries of them. `fit` accepts a data set of batches.

    Each method returns a new data set and does not change this one. Nothing is read before the iteration.

    Args:
        make: returns a new iterator over the elements.
        length: the number of elements, or `UNKNOWN` or `INFINITE`.

    Attributes:
        class_names: the names of the classes, if it was made from a folder of classes.
        file_paths: the files that it was made from, in order.
        batch_size: the number of samples in each element; None if the elements are not batches.

    Example:
        >>> squares = Dataset.from_tensor_slices(np.arange(5)).map(lambda x: x * x).batch(3)
        >>> [batch.tolist() for batch in squares]
        [[0, 1, 4], [9, 16]]
    """

    def __init__(self, make: Callable[[], Iterator[Any]], length: int = UNKNOWN) -> None:
        self._make = make
        self._length = length
        self.class_names: list[str] | None = None
        self.file_paths: list[str] | None = None
        self.batch_size: int | None = None

    # ---- sources --------------------------------------------------------------------------------

    @staticmethod
    def from_tensor_slices(tensors: Any) -> Dataset:
        """Return a data set of the rows of arrays.

        Args:
            tensors: an array or a tree of arrays of one length.

        Raises:
            ValueError: if there is none, or their lengths differ.
        """
        arrays = nested.map_structure(as_rows, tensors)
        lengths = {len(leaf) for leaf in nested.flatten(arrays)}
        if len(lengths) != 1:
            raise ValueError(f"from_tensor_slices: expected arrays of one length; received {sorted(lengths)}.")
        length = lengths.pop()

        def make() -> Iterator[Any]:
            return (nested.map_structure(lambda leaf, i=i: leaf[i], arrays) for i in range(length))

        return Dataset(make, length)

    @staticmethod
    def zip(*datasets: Any) -> Dataset:
        """Return a data set of tuples of the elements of several data sets, as long as the shortest one.

        Args:
            *datasets: the data sets, or one tuple of them.
        """
        parts = datasets[0] if len(datasets) == 1 and isinstance(datasets[0], (tuple, list)) else datasets
        lengths = [part._length for part in parts if part._length != INFINITE]
        length = INFINITE if not lengths else UNKNOWN if UNKNOWN in lengths else min(lengths)
        return Dataset(lambda: zip(*(part._make() for part in parts), strict=False), length)

    # ---- reading -------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Any]:
        return (nested.map_structure(shown, element) for element in self._make())

    def as_numpy_iterator(self) -> Iterator[Any]:
        """Return an iterator over the elements."""
        return iter(self)

    def __len__(self) -> int:
        if self._length < 0:
            raise TypeError(f"The data set has no {'end' if self._length == INFINITE else 'known length'}.")
        return self._length

    def __bool__(self) -> bool:
        return True

    def cardinality(self) -> int:
        """Return the number of elements, -1 for an endless data set, or -2 if the number is unknown."""
        return self._length

    def to(self, backend: str) -> Any:
        """Return the data as a data set of a framework.

        Args:
            backend: the name of its backend; `"tensorflow"` returns a `tf.data.Dataset`.

        Raises:
            ValueError: if the backend has no data sets.
        """
        return foreign_data.dataset_of(backend, self._make)

    # ---- other elements ------------------------------------------------------------------------------------------

    def _then(self, make: Callable[[], Iterator[Any]], length: int) -> Dataset:
        """Return a data set that is derived from this one, with the same classes and files."""
        result = Dataset(make, length)
        result.class_names, result.file_paths, result.batch_size = self.class_names, self.file_paths, self.batch_size
        return result

    def map(
        self, map_func: Callable[..., Any], num_parallel_calls: int | None = None, deterministic: bool | None = None
    ) -> Dataset:
        """Return a data set of the results of a function for each element. A tuple is passed as several arguments.

        Args:
            map_func: the function; its results may hold arrays of any framework.
            num_parallel_calls: the number of threads; -1 (`AUTOTUNE`) for several, by default one.
            deterministic: accepted as in `tf.data`, without effect; the order is always kept.
        """
        call = partial(call_on, map_func)
        threads = THREADS if num_parallel_calls == -1 else num_parallel_calls or 1
        return self._then(lambda: map_in_threads(call, self._make(), threads), self._length)

    def filter(self, predicate: Callable[..., Any]) -> Dataset:
        """Return a data set of the elements for which a function, called as in `map`, returns a true value."""
        keeps = partial(call_on, predicate)
        return self._then(
            lambda: (element for element in self._make() if keeps(element)), UNKNOWN if self._length else 0
        )

    def enumerate(self, start: int = 0) -> Dataset:
        """Return a data set of pairs of a number, counted from `start`, and an element."""
        return self._then(lambda: enumerate(self._make(), start), self._length)

    def batch(
        self,
        batch_size: int,
        drop_remainder: bool = False,
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
    ) -> Dataset:
        """Return a data set of batches: several elements, stacked along a new first axis.

        Args:
            batch_size: the number of elements in a batch.
            drop_remainder: whether to drop a smaller last batch.
            num_parallel_calls: accepted as in `tf.data`, without effect.
            deterministic: accepted as in `tf.data`, without effect.
        """
        return self._batched(batch_size, drop_remainder, stack)

    def padded_batch(self, batch_size: int, drop_remainder: bool = False) -> Dataset:
        """Return a data set of batches in which each array is padded with zeros to the largest one of its batch."""
        return self._batched(batch_size, drop_remainder, stack_padded)

    def ragged_batch(self, batch_size: int, drop_remainder: bool = False) -> Dataset:
        """Return a data set of batches in which arrays of unequal shapes become an array of objects."""
        return self._batched(batch_size, drop_remainder, stack_ragged)

    def _batched(self, size: int, drop: bool, stack: Callable[[list[Any]], np.ndarray]) -> Dataset:
        size = positive_int(size, "batch_size")

        def make() -> Iterator[Any]:
            elements = self._make()
            while batch := list(itertools.islice(elements, size)):
                if len(batch) == size or not drop:
                    yield nested.map_structure(lambda *leaves: stack(list(leaves)), *batch)

        length = self._length
        result = self._then(make, length if length < 0 else length // size if drop else -(-length // size))
        result.batch_size = size
        return result

    def unbatch(self) -> Dataset:
        """Return a data set of the rows of its elements."""

        def make() -> Iterator[Any]:
            for element in self._make():
                yield from Dataset.from_tensor_slices(element)._make()

        result = self._then(make, UNKNOWN if self._length else 0)
        result.batch_size = None
        return result

    # ---- order and number of elements ------------------------------------------------------------------------

    def shuffle(self, buffer_size: int, seed: int | None = None, reshuffle_each_iteration: bool = True) -> Dataset:
        """Return a data set of the same elements in a random order.

        Args:
            buffer_size: the number of elements that are read ahead and drawn from. If it is as large as the data set,
                all orders have the same probability.
            seed: the seed of the orders; by default drawn from the process-wide stream.
            reshuffle_each_iteration: whether each iteration has a new order.
        """
        size = positive_int(buffer_size, "buffer_size")
        seed = random.draw_seed() if seed is None else seed
        passes = itertools.count()

        def make() -> Iterator[Any]:
            generator = random.host_generator((seed + next(passes) if reshuffle_each_iteration else seed) % 2**32)
            elements = self._make()
            buffer = list(itertools.islice(elements, size))
            for element in elements:
                i = int(generator.integers(len(buffer)))
                yield buffer[i]
                buffer[i] = element
            for i in generator.permutation(len(buffer)):
                yield buffer[i]

        return self._then(make, self._length)

    def take(self, count: int) -> Dataset:
        """Return a data set of the first `count` elements, or of all if `count` is negative."""
        if count < 0:
            return self
        length = self._length
        known = 0 if not count else count if length == INFINITE else length if length == UNKNOWN else min(count, length)
        return self._then(lambda: itertools.islice(self._make(), count), known)

    def skip(self, count: int) -> Dataset:
        """Return a data set without the first `count` elements, or an empty one if `count` is negative."""
        if count < 0:
            return self._then(lambda: iter(()), 0)
        length = self._length if self._length < 0 else max(self._length - count, 0)
        return self._then(lambda: itertools.islice(self._make(), count, None), length)

    def repeat(self, count: int | None = None) -> Dataset:
        """Return a data set that repeats the elements `count` times, or endlessly by default."""
        endless = count is None or count < 0
        rounds: Callable[[], Iterable[int]] = itertools.count if endless else lambda: range(count or 0)
        length = INFINITE if endless else self._length if self._length < 0 else self._length * (count or 0)
        return self._then(lambda: itertools.chain.from_iterable(self._make() for _ in rounds()), length)

    def concatenate(self, dataset: Dataset) -> Dataset:
        """Return a data set of these elements, followed by those of another data set."""
        lengths = (self._length, dataset._length)
        length = INFINITE if INFINITE in lengths else UNKNOWN if UNKNOWN in lengths else sum(lengths)
        return self._then(lambda: itertools.chain(self._make(), dataset._make()), length)

    def cache(self, filename: str = "") -> Dataset:
        """Return a data set that is kept in memory after it was read to its end once.

        Args:
            filename: accepted as in `tf.data`; nothing is written.
        """
        kept: list[Any] = []
        whole = False

        def make() -> Iterator[Any]:
            nonlocal whole
            if whole:
                yield from kept
                return
            read = []
            for element in self._make():
                read.append(element)
                yield element
            if not whole:
                kept[:] = read
                whole = True

        return self._then(make, self._length)

    def prefetch(self, buffer_size: int | None = None) -> Dataset:
        """Return the data set itself, because `fit` reads ahead."""
        return self
