"""Where batches come from: arrays that lie ready, or a stream."""

from __future__ import annotations

import itertools
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from polykeras import nested, switches
from polykeras.arguments import positive_int
from polykeras.backend.foreign_data import batches_of, lies_ready
from polykeras.backend.host_memory import aligned_empty, is_worth_copying
from polykeras.training.data.checks import NAMES, check_host_arrays, check_values, host_tree, weights_from_classes
from polykeras.training.data.dataset import PyDataset
from polykeras.training.data.orders import Orders
from polykeras.training.data.streams import StreamSource
from polykeras.training.data.tables import is_sparse
from polykeras.training.data.unpack import pack_x_y_sample_weight
from polykeras.training.padding import Filled, fill
from polykeras.training.rooms import in_room

if TYPE_CHECKING:
    from concurrent.futures import Future


BATCH_SIZE = 32  # where nobody says another


class ArraySource:
    """Rows of arrays, in batches.

    Args:
        data: the triple `(x, y, sample_weight)` of trees of NumPy arrays, None for what is missing.
        batch_size: rows in a batch; the last one of an epoch may have fewer.
        shuffle: whether the rows come in a new order each epoch.
        steps: the batches of an epoch, where it shall not be all.

    Attributes:
        data: what a step would be given of all rows: `x`, `(x, y)` or `(x, y, sample_weight)`.
    """

    def __init__(
        self, data: tuple[Any, Any, Any], batch_size: int, shuffle: bool = False, steps: int | None = None
    ) -> None:
        self.samples = check_host_arrays({n: part for n, part in zip(NAMES, data, strict=True) if part is not None})
        check_values(data)
        self.data = pack_x_y_sample_weight(*data)
        self.batch_size = min(batch_size, self.samples)
        self.shuffle = shuffle
        batches = -(-self.samples // self.batch_size)
        self.steps = batches if steps is None else min(steps, batches)
        self._resident: dict[tuple[Any, int], Any] = {}
        self.orders = Orders()

    @property
    def ends_partial(self) -> bool:
        """Whether an epoch ends with a batch of fewer rows."""
        return min(self.samples, self.steps * self.batch_size) % self.batch_size != 0

    def order(self, filled: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
        """Return an epoch's rows: of full batches, int32 `(steps, batch)`, and of a last partial batch, or None.

        Args:
            filled: whether a last partial batch is made one of the full ones.
        """
        rows = np.arange(self.samples, dtype=np.int32)
        if self.shuffle:
            self.orders.forget()
            rows = self.orders.permutation(rows)
        rows = rows[: self.steps * self.batch_size]
        if filled:
            cut = (self.steps - 1) * self.batch_size
            rows = np.append(rows[:cut], fill(rows[cut:], self.batch_size))
        full = len(rows) // self.batch_size
        cut = full * self.batch_size
        return rows[:cut].reshape(full, self.batch_size), (rows[cut:] if cut < len(rows) else None)

    def resident(self, backend: Any, numbered: bool = False, rows: int | None = None) -> Any:
        """Return the data on the backend's device; put there once.

        Args:
            backend: where.
            numbered: whether it is to be `Filled`, with the numbers of the rows.
            rows: how many there are to be, of which those after the samples mean nothing; None for no such rows.
        """
        rows = rows or self.samples

        def placed(leaf: np.ndarray) -> Any:
            return backend.asarray(leaf) if len(leaf) == rows else backend.borrow(in_room(leaf, rows))

        if (backend, rows) not in self._resident:
            self._resident = {(backend, rows): _each_once(placed, self.data)}
        return _numbered(backend, self._resident[backend, rows], rows, numbered)

    def is_to_come(self, backend: Any, rows: int | None = None) -> bool:
        """Return whether large data, with room for so many rows, are not on the backend's device yet."""
        return (backend, rows or self.samples) not in self._resident and any(
            map(is_worth_copying, nested.flatten(self.data))
        )

    def room(self, backend: Any, numbered: bool = False, rows: int | None = None) -> Any:
        """Return what `resident` will, with memory that nobody has written to in place of large arrays.

        The system provides such memory when it is first written to.
        """
        rows = rows or self.samples

        def like(leaf: np.ndarray) -> Any:
            if not is_worth_copying(leaf):
                return backend.asarray(in_room(leaf, rows))
            return backend.borrow(aligned_empty((rows, *leaf.shape[1:]), leaf.dtype))

        return _numbered(backend, _each_once(like, self.data), rows, numbered)

    def batches(self, filled: bool = False, first: int = 0) -> Iterator[Any]:
        """Return the batches from a first one on, in the order of the rows, as host arrays; `filled` as for `order`."""
        for start in range(first * self.batch_size, self.steps * self.batch_size, self.batch_size):
            stop = min(start + self.batch_size, self.samples)
            rows: Any = slice(start, stop)
            if filled and stop - start < self.batch_size:
                rows = fill(np.arange(start, stop), self.batch_size)
            yield self._at(rows)

    def epoch(self, first: int = 0) -> Iterator[Any]:
        """Return the batches of one epoch from a first one on, in the epoch's order of the rows, as host arrays."""
        full, rest = self.order()
        for rows in [*full, *([] if rest is None else [rest])][first:]:
            yield self._at(rows)

    def first_batch(self) -> Any:
        """Return one batch, to learn shapes from."""
        return self._at(slice(self.batch_size))

    def _at(self, rows: Any) -> Any:
        def cut(part: Any) -> Any:
            return nested.map_structure(lambda leaf: leaf[rows], part)

        # Part by part: most are one array.
        return tuple([cut(part) for part in self.data]) if isinstance(self.data, tuple) else cut(self.data)

    def facts(self) -> dict[str, Any]:
        """Return what the steps of an epoch depend on, as plain data."""
        return {
            "samples": self.samples,
            "batch_size": self.batch_size,
            "steps": self.steps,
            "shuffle": self.shuffle,
        }

    def close(self) -> None:
        """There is nothing to end."""


def _numbered(backend: Any, data: Any, rows: int, numbered: bool) -> Any:
    return Filled(data, backend.asarray(np.arange(rows, dtype=np.int32))) if numbered else data


def _each_once(place: Callable[[np.ndarray], Any], data: Any) -> Any:
    """Return what `place` makes of each array of a tree; once of one that is there twice, as in `fit(x, x)`."""
    made = {id(leaf): place(leaf) for leaf in {id(leaf): leaf for leaf in nested.flatten(data)}.values()}
    return nested.map_structure(lambda leaf: made[id(leaf)], data)


Source: TypeAlias = ArraySource | StreamSource


def is_stream(x: Any) -> bool:
    """Return whether `x` gives batches, rather than being arrays."""
    if isinstance(x, PyDataset) or hasattr(x, "__next__"):
        return True
    has_batches = (hasattr(x, "__iter__") or hasattr(x, "__getitem__")) and not is_sparse(x)
    return has_batches and not hasattr(x, "__array__") and not isinstance(x, (list, tuple, dict, np.ndarray))


def _dataset_batches(dataset: PyDataset, shuffle: bool, orders: Orders) -> Iterator[Any]:
    count = dataset.num_batches
    order: Iterable[int] = itertools.count() if count is None else range(count)
    if shuffle and count is not None:
        order = orders.permutation(count).tolist()
    dataset.on_epoch_begin()
    if dataset.workers <= 1:
        for i in order:
            yield dataset[i]
        return
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(dataset.workers)
    waiting: deque[Future[Any]] = deque()
    try:
        for i in order:
            waiting.append(pool.submit(dataset.__getitem__, i))
            if len(waiting) >= dataset.max_queue_size:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _length(x: Any) -> int | None:
    """The number of batches, where an iterable knows it."""
    try:
        return len(x)
    except TypeError:  # an iterable without a length, or with one that it does not know
        return None


def _stream(x: Any, steps: int | None, shuffle: bool, class_weight: dict[int, float] | None) -> StreamSource:
    if isinstance(x, PyDataset):
        length = x.num_batches
        if steps is None and length is None:
            raise ValueError(f"{type(x).__name__} has no end (num_batches is None): pass `steps_per_epoch` or `steps`.")
        orders = Orders()
        return StreamSource(
            lambda: _dataset_batches(x, shuffle, orders),
            steps,
            length=length,
            class_weight=class_weight,
            on_epoch_end=x.on_epoch_end,
            depth=x.max_queue_size,
            orders=orders,
        )
    if hasattr(x, "__next__"):
        return StreamSource(lambda: x, steps, restarts=False, class_weight=class_weight)
    return StreamSource(
        lambda: batches_of(x), steps, length=_length(x), class_weight=class_weight, ready=lambda: lies_ready(x)
    )


def make_source(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    shuffle: bool = False,
    class_weight: dict[int, float] | None = None,
    steps: int | None = None,
) -> Source:
    """Return the source of batches for what a user passed to `fit`, `evaluate` or `predict`.

    Args:
        x: a tree of arrays, of NumPy or any framework; or a generator, a `PyDataset`, a torch `DataLoader`, a
            `tf.data.Dataset`, or any other iterable of batches.
        y: a tree of arrays; None for streams.
        sample_weight: weights of the samples; None for streams.
        batch_size: 32 by default; nothing for streams, which come in batches.
        shuffle: a new order each epoch.
        class_weight: weights by class.
        steps: batches in an epoch, for streams.

    Raises:
        ValueError: what was passed does not fit together; see `check_host_arrays`.
    """
    if steps is not None:
        positive_int(steps, "steps_per_epoch")
    source = _source_of(x, y, sample_weight, batch_size, shuffle, class_weight, steps)
    limit = switches.max_steps_per_epoch()
    if limit is None or (source.steps is not None and source.steps <= limit):
        return source
    warnings.warn(f"Epochs are limited to {limit} batches by `max_steps_per_epoch`.", UserWarning, stacklevel=3)
    source.close()
    return _source_of(x, y, sample_weight, batch_size, shuffle, class_weight, limit)


def _source_of(
    x: Any,
    y: Any,
    sample_weight: Any,
    batch_size: int | None,
    shuffle: bool,
    class_weight: dict[int, float] | None,
    steps: int | None,
) -> Source:
    if is_stream(x):
        for name, value in (("y", y), ("sample_weight", sample_weight)):
            if value is not None:
                raise ValueError(
                    f"`{name}` must not be given where x is a {type(x).__name__}, which gives batches itself."
                )
        return _stream(x, steps, shuffle, class_weight)
    size = BATCH_SIZE if batch_size is None else positive_int(batch_size, "batch_size")
    return ArraySource(_host_data(x, y, sample_weight, class_weight), size, shuffle, steps)


def make_batch(x: Any, y: Any, sample_weight: Any, class_weight: dict[int, float] | None) -> ArraySource:
    """Return a source of one batch; arguments as for `make_source`, arrays only."""
    data = _host_data(x, y, sample_weight, class_weight)
    return ArraySource(data, max(1, *(len(leaf) for leaf in nested.flatten(data) if leaf.ndim), 1))


def _host_data(x: Any, y: Any, sample_weight: Any, class_weight: dict[int, float] | None) -> tuple[Any, Any, Any]:
    if x is None:
        raise ValueError("No data: x is None. Pass arrays, a generator or a PyDataset.")
    host_x = host_tree(x, "x")
    host_y = None if y is None else host_tree(y, "y")
    weights = None if sample_weight is None else host_tree(sample_weight, "sample_weight")
    if class_weight is not None:
        if weights is not None:
            raise ValueError("Pass class_weight or sample_weight, not both.")
        if host_y is None:
            raise ValueError("class_weight needs labels; received y=None.")
        weights = weights_from_classes(host_y, class_weight)
    return host_x, host_y, weights
