"""Where batches come from: arrays that lie ready, or a stream."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from polykeras import random, tree
from polykeras.arguments import positive_int
from polykeras.training.data.checks import check_host_arrays, to_host, weights_from_classes
from polykeras.training.data.dataset import PyDataset
from polykeras.training.data.familiar import Familiar
from polykeras.training.data.packs import Pack, Packing
from polykeras.training.data.prefetch import Prefetch
from polykeras.training.data.unpack import unpack_x_y_sample_weight
from polykeras.training.padding import fill

if TYPE_CHECKING:
    from concurrent.futures import Future


class ArraySource:
    """Rows of arrays, in batches.

    Args:
        data: the triple `(x, y, sample_weight)` of trees of NumPy arrays, None for what is missing.
        batch_size: rows in a batch; the last one of an epoch may have fewer.
        shuffle: whether the rows come in a new order each epoch.
        steps: the batches of an epoch, where it shall not be all.
    """

    def __init__(
        self, data: tuple[Any, Any, Any], batch_size: int, shuffle: bool = False, steps: int | None = None
    ) -> None:
        names = ("x", "y", "sample_weight")
        self.samples = check_host_arrays({n: part for n, part in zip(names, data, strict=True) if part is not None})
        self.data = data
        self.batch_size = min(batch_size, self.samples)
        self.shuffle = shuffle
        batches = -(-self.samples // self.batch_size)
        self.steps = batches if steps is None else min(steps, batches)
        self._resident: dict[Any, Any] = {}

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
            rows = random.host_generator(random.draw_seed()).permutation(rows)
        rows = rows[: self.steps * self.batch_size]
        if filled:
            cut = (self.steps - 1) * self.batch_size
            rows = np.append(rows[:cut], fill(rows[cut:], self.batch_size))
        full = len(rows) // self.batch_size
        cut = full * self.batch_size
        return rows[:cut].reshape(full, self.batch_size), (rows[cut:] if cut < len(rows) else None)

    def resident(self, backend: Any, numbered: bool = False) -> Any:
        """Return the data on the backend's device; put there once. With `numbered` the numbers of the rows follow."""
        if backend not in self._resident:
            self._resident = {backend: tree.map_structure(backend.asarray, self.data)}
        data = self._resident[backend]
        return (*data, backend.asarray(np.arange(self.samples, dtype=np.int32))) if numbered else data

    def batches(self) -> Iterator[Any]:
        """Return the batches in the order of the rows, as host arrays."""
        for start in range(0, self.steps * self.batch_size, self.batch_size):
            yield tree.map_structure(lambda leaf, i=start: leaf[i : i + self.batch_size], self.data)

    def first_batch(self) -> Any:
        """Return one batch, to learn shapes from."""
        return tree.map_structure(lambda leaf: leaf[: self.batch_size], self.data)

    def close(self) -> None:
        """There is nothing to end."""


class StreamSource:
    """Batches from an iterable, fetched ahead by a thread: never more of them than the epoch takes.

    Args:
        make: returns an iterator over the data from their beginning; a Python generator can only return itself.
        limit: batches in an epoch, the next of which goes on where it stopped; None for all there are.
        restarts: whether `make` begins anew.
        length: how many batches there are, None where that is not known.
        class_weight: weights by class, turned into sample weights.
        on_epoch_end: called after each epoch.
        depth: how many batches are fetched ahead; None for a few, or some packs of small ones.

    Attributes:
        steps: batches in an epoch, None where that is not known.
        check: called with each batch before it is given out; it may raise.
    """

    def __init__(
        self,
        make: Callable[[], Iterator[Any]],
        limit: int | None,
        restarts: bool = True,
        length: int | None = None,
        class_weight: dict[int, float] | None = None,
        on_epoch_end: Callable[[], None] | None = None,
        depth: int | None = None,
    ) -> None:
        self._make = make
        self._limit = limit
        self._restarts = restarts
        self._class_weight = class_weight
        self._depth = depth or 2
        self._most_in_pack = None if depth is None else max(1, depth // 2)
        self._packing: Packing | None = None
        self._familiar: Familiar | None = None
        self._items: Iterator[Any] | None = None  # where the next epoch goes on
        self._ahead: Prefetch | None = None  # an epoch that was begun
        self._running: Prefetch | None = None  # the one whose batches are given out
        self._first: list[Any] = []
        self._given = 0
        self.steps = length if limit is None else limit
        self.on_epoch_end = on_epoch_end
        self.check: Callable[[Any], None] = lambda batch: None

    def _prepare(self, batch: Any) -> tuple[Any, Any, Any]:
        """Return `(x, y, sample_weight)` of a batch as trees of host arrays, if it can be in the batch's own memory."""
        known = self._familiar.arrays(batch) if self._familiar is not None else None
        if known is not None:
            return known
        parts = unpack_x_y_sample_weight(batch)
        names = ("x", "y", "sample_weight")
        host = [None if p is None else host_tree(p, n) for p, n in zip(parts, names, strict=True)]
        if self._class_weight is not None:
            if host[2] is not None:
                raise ValueError("Pass class_weight or sample_weight, not both: the batches carry sample weights.")
            host[2] = weights_from_classes(host[1], self._class_weight)
        check_host_arrays({n: p for n, p in zip(names, host, strict=True) if p is not None})
        self._familiar = Familiar.of(batch, host) if self._class_weight is None else None
        return host[0], host[1], host[2]

    def _endless(self) -> Iterator[Any]:
        """The data again and again, for epochs that need not end where the data end."""
        empty = False
        while not empty:
            empty = True
            for item in self._make():
                empty = False
                yield item

    def _begin(self) -> Prefetch:
        if self._limit is None and self._restarts:
            items = self._make()
        else:
            if self._items is None:
                self._items = self._endless() if self._restarts else self._make()
            items = islice(self._items, self._limit)
        if self._packing is not None:
            self._packing.reset()
        # Copies: a generator may fill the same arrays anew while these wait.
        return Prefetch(map(self._prepare, items), self._depth, _copied, self._packing)

    def first_batch(self) -> Any:
        """Return the first batch of the next epoch, to learn shapes from.

        Raises:
            ValueError: there is none.
        """
        if not self._first:
            self._ahead = self._begin()
            try:
                self._first = [next(self._ahead)]
            except StopIteration:
                raise ValueError(self._nothing()) from None
        first = self._first[0]
        return first.batch(0) if isinstance(first, Pack) else first

    def _nothing(self) -> str:
        if not self._given:
            return "The data are empty: the generator or data set gave no batch."
        return (
            f"The generator ended: it gave {self._given} batches to the epochs before and nothing to this one, since "
            "it cannot begin anew. Let it go on without end and pass `steps_per_epoch`, or pass a PyDataset."
        )

    def _items_of_epoch(self) -> Iterator[Any]:
        self.first_batch()
        ahead, self._ahead = self._ahead, None
        self._running = ahead
        pending, self._first = self._first, []
        try:
            yield from chain(pending, ahead)  # type: ignore[arg-type]
        finally:
            if not ahead.close():  # type: ignore[union-attr]
                self._packing = None  # its thread may still write into a pack
        if self.on_epoch_end is not None:
            self.on_epoch_end()

    def epoch(self) -> Iterator[Any]:
        """Return the batches of one epoch: fewer than `steps` only where the data ended."""
        self._packing = None
        for item in self._items_of_epoch():
            batches = [_copied(item.batch(i)) for i in range(item.count)] if isinstance(item, Pack) else [item]
            if isinstance(item, Pack):
                self.give_back(item)
            for batch in batches:
                self._given += 1
                self.check(batch)
                yield batch

    def packs(self) -> Iterator[Any]:
        """Return the batches of one epoch, small ones that are like the first one as `Pack`s of those that are there.

        Packs want to be given back. A batch that differs, or is large, comes as it is.
        """
        first = self.first_batch()
        if self._packing is None or not self._packing.fits(first):
            self._packing = Packing(first, self._most_in_pack)
        packing = self._packing if self._packing.capacity > 1 else None
        if packing is not None:
            self._ahead.pack(packing)  # type: ignore[union-attr]
        else:
            self._packing = None
        for item in self._items_of_epoch():
            if packing is not None and not isinstance(item, Pack) and packing.fits(item):
                item = packing.alone(item)
            error = self._checked(item)
            if not isinstance(item, Pack) or item.count:
                yield item
            if error is not None:
                raise error

    def _checked(self, item: Any) -> Exception | None:
        """Check a batch, or all in a pack; return the error, of which what comes before it in the pack is free."""
        if not isinstance(item, Pack):
            self._given += 1
            self.check(item)
            return None
        self._given += item.count
        try:
            self.check(item.rows(item.count))
        except Exception:
            for i in range(item.count):
                try:
                    self.check(item.batch(i))
                except Exception as error:
                    item.count = i
                    return error
            raise
        return None

    def give_back(self, pack: Pack) -> None:
        """Let a pack be filled again."""
        if self._running is not None:
            self._running.give_back(pack)

    def close(self) -> None:
        """End the threads that fetch ahead, also where an error ended an epoch: its traceback may outlive it."""
        for ahead in (self._ahead, self._running):
            if ahead is not None:
                ahead.close()
        self._ahead = self._running = None
        self._first = []


Source: TypeAlias = ArraySource | StreamSource


def _copied(batch: Any) -> Any:
    return tree.map_structure(np.array, batch)


def host_tree(part: Any, what: str) -> Any:
    """Return a tree of NumPy arrays from a tree of arrays of any framework, or from a list of numbers."""
    if isinstance(part, (list, tuple)) and part and not any(hasattr(leaf, "__array__") for leaf in tree.flatten(part)):
        return to_host(part, what)
    leaves, definition = tree.flatten_with_def(part)
    names = [what + path for path in tree.paths(part)]
    return tree.unflatten(definition, [to_host(leaf, name) for leaf, name in zip(leaves, names, strict=True)])


def _is_stream(x: Any) -> bool:
    if isinstance(x, PyDataset) or hasattr(x, "__next__"):
        return True
    has_batches = hasattr(x, "__iter__") or hasattr(x, "__getitem__")
    return has_batches and not hasattr(x, "__array__") and not isinstance(x, (list, tuple, dict, np.ndarray))


def _dataset_batches(dataset: PyDataset, shuffle: bool) -> Iterator[Any]:
    count = dataset.num_batches
    order: Iterable[int] = itertools.count() if count is None else range(count)
    if shuffle and count is not None:
        order = random.host_generator(random.draw_seed()).permutation(count).tolist()
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
        return StreamSource(
            lambda: _dataset_batches(x, shuffle),
            steps,
            length=length,
            class_weight=class_weight,
            on_epoch_end=x.on_epoch_end,
            depth=x.max_queue_size,
        )
    if hasattr(x, "__next__"):
        return StreamSource(lambda: x, steps, restarts=False, class_weight=class_weight)
    return StreamSource(lambda: iter(x), steps, length=_length(x), class_weight=class_weight)


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
        batch_size: 32 by default; not for streams, which come in batches.
        shuffle: a new order each epoch.
        class_weight: weights by class.
        steps: batches in an epoch, for streams.

    Raises:
        ValueError: what was passed does not fit together; see `check_host_arrays`.
    """
    if steps is not None:
        positive_int(steps, "steps_per_epoch")
    if _is_stream(x):
        for name, value in (("y", y), ("sample_weight", sample_weight), ("batch_size", batch_size)):
            if value is not None:
                raise ValueError(
                    f"`{name}` must not be given where x is a {type(x).__name__}, which gives batches itself."
                )
        return _stream(x, steps, shuffle, class_weight)
    size = 32 if batch_size is None else positive_int(batch_size, "batch_size")
    return ArraySource(_host_data(x, y, sample_weight, class_weight), size, shuffle, steps)


def make_batch(x: Any, y: Any, sample_weight: Any, class_weight: dict[int, float] | None) -> ArraySource:
    """Return a source of one batch; arguments as for `make_source`, arrays only."""
    data = _host_data(x, y, sample_weight, class_weight)
    return ArraySource(data, max(1, *(len(leaf) for leaf in tree.flatten(data) if leaf.ndim), 1))


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
