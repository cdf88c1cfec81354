"""Data sets of data sets: windows, and functions that return a data set for each element."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from polykeras.common import nested
from polykeras.common.arguments import positive_int
from polykeras.utils.data.elements import Spec, shown, spec_of

if TYPE_CHECKING:
    from polykeras.utils.data.pipeline import Dataset

INFINITE = -1
UNKNOWN = -2
CYCLE = 4  # data sets that are read in turn, if their number is left to us


def call_on(function: Callable[..., Any], element: Any) -> Any:
    """Return the result of a function for an element, whose parts are several arguments if it is a tuple."""
    return function(*element) if isinstance(element, tuple) else function(element)


class Nesting:
    """The methods of a `Dataset` that make or read data sets within it, and those that read it to its end."""

    batch_size: int | None
    _make: Callable[[], Iterator[Any]]
    _length: int
    _then: Callable[[Callable[[], Iterator[Any]], int], Dataset]
    unbatch: Callable[[], Dataset]

    @property
    def element_spec(self) -> Any:
        """The shapes and dtypes of an element, which is read for this: a tree of tuples `(shape, dtype)`.

        The first size of a batch is None, because the last batch may be smaller.

        Raises:
            ValueError: if there are no elements.
        """
        for element in self._make():
            return nested.map_structure(self._spec, element)
        raise ValueError("element_spec: the data set has no elements.")

    def _spec(self, leaf: Any) -> Any:
        if isinstance(leaf, Nesting):
            return leaf.element_spec
        spec = spec_of(leaf)
        return spec if self.batch_size is None else Spec((None, *spec.shape[1:]), spec.dtype)

    def reduce(self, initial_state: Any, reduce_func: Callable[[Any, Any], Any]) -> Any:
        """Return the last state of a function that takes a state and an element, and returns the next state.

        Args:
            initial_state: the first state, a tree of arrays or numbers.
            reduce_func: the function. A tuple is one argument.
        """
        state = initial_state
        for element in self._make():
            state = reduce_func(state, nested.map_structure(shown, element))
        return nested.map_structure(shown, state)

    def rebatch(self, batch_size: int, drop_remainder: bool = False) -> Dataset:
        """Return a data set of the same rows in batches of another size.

        Args:
            batch_size: the number of rows in a batch.
            drop_remainder: whether to drop a smaller last batch.
        """
        return self.unbatch().batch(batch_size, drop_remainder)

    def window(self, size: int, shift: int | None = None, stride: int = 1, drop_remainder: bool = False) -> Dataset:
        """Return a data set of windows, each of which is a data set; for tuples, a tuple of data sets.

        Args:
            size: the number of elements in a window.
            shift: the number of elements from the start of a window to that of the next one; `size` by default.
            stride: the number of elements from one element of a window to the next.
            drop_remainder: whether to drop smaller windows at the end.
        """
        size, stride = positive_int(size, "size"), positive_int(stride, "stride")
        shift = size if shift is None else positive_int(shift, "shift")
        span = (size - 1) * stride + 1

        def make() -> Iterator[Any]:
            elements, ahead = self._make(), list[Any]()
            while True:
                ahead += itertools.islice(elements, span - len(ahead))
                inside = ahead[::stride]
                if not inside or (drop_remainder and len(inside) < size):
                    return
                yield nested.map_structure(lambda *leaves: self._of(leaves), *inside)
                for _ in range(shift - len(ahead)):
                    next(elements, None)
                del ahead[:shift]

        length = self._length
        if length >= 0:
            length = max(length - span + shift, 0) // shift if drop_remainder else -(-length // shift)
        result = self._then(make, length)
        result.batch_size = None
        return result

    def _of(self, leaves: tuple[Any, ...]) -> Dataset:
        made = self._then(lambda: iter(leaves), len(leaves))
        made.batch_size = None
        return made

    def flat_map(self, map_func: Callable[..., Any]) -> Dataset:
        """Return a data set of the elements of the data sets that a function returns, one after another.

        Args:
            map_func: the function, called as in `map`.
        """

        def make() -> Iterator[Any]:
            for element in self._make():
                yield from _elements(call_on(map_func, element))

        return self._then(make, UNKNOWN)

    def interleave(
        self,
        map_func: Callable[..., Any],
        cycle_length: int | None = None,
        block_length: int = 1,
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
    ) -> Dataset:
        """Return a data set of the elements of the data sets that a function returns, some of which are read in turn.

        Args:
            map_func: the function, called as in `map`.
            cycle_length: the number of data sets that are read in turn; several by default.
            block_length: the number of elements that are taken from one before the next one has its turn.
            num_parallel_calls: accepted as in `tf.data`, without effect.
            deterministic: accepted as in `tf.data`, without effect; the order is always kept.
        """
        cycle = CYCLE if cycle_length in (None, -1) else positive_int(cycle_length, "cycle_length")
        block = positive_int(block_length, "block_length")

        def make() -> Iterator[Any]:
            sources = self._make()
            open_ones: list[Iterator[Any] | None] = [None] * cycle
            for turn in itertools.cycle(range(cycle)):
                if open_ones[turn] is None:
                    for source in itertools.islice(sources, 1):
                        open_ones[turn] = _elements(call_on(map_func, source))
                current = open_ones[turn]
                if current is None:
                    if all(one is None for one in open_ones):
                        return
                    continue
                taken = 0
                for element in itertools.islice(current, block):
                    taken += 1
                    yield element
                if taken < block:
                    open_ones[turn] = None

        return self._then(make, UNKNOWN)


def _elements(dataset: Any) -> Iterator[Any]:
    return dataset._make() if isinstance(dataset, Nesting) else iter(dataset)
