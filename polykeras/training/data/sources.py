"""Where batches come from: arrays that lie ready, or a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeAlias

import numpy as np

from polykeras import random, tree
from polykeras.training.data.checks import check_host_arrays, to_host, weights_from_classes
from polykeras.training.data.dataset import PyDataset
from polykeras.training.data.prefetch import prefetch
from polykeras.training.data.unpack import unpack_x_y_sample_weight
from polykeras.arguments import positive_int


class ArraySource:
    """Rows of arrays, in batches.

    Args:
        data: the triple `(x, y, sample_weight)` of trees of NumPy arrays, None for what is missing.
        batch_size: rows in a batch; the last one of an epoch may have fewer.
        shuffle: whether the rows come in a new order each epoch.
    """

    def __init__(self, data: tuple[Any, Any, Any], batch_size: int, shuffle: bool = False) -> None:
        names = ("x", "y", "sample_weight")
        self.samples = check_host_arrays({n: part for n, part in zip(names, data, strict=True) if part is not None})
        self.data = data
        self.batch_size = min(batch_size, self.samples)
        self.shuffle = shuffle
        self.steps: int | None = -(-self.samples // self.batch_size)
        self._resident: dict[Any, Any] = {}

    def order(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Return an epoch's rows: full batches, int32 `(steps, batch)`, and the rows of a last partial batch or None."""
        rows = np.arange(self.samples, dtype=np.int32)
        if self.shuffle:
            rows = random.host_generator(random.draw_seed()).permutation(rows)
        full = self.samples // self.batch_size
        cut = full * self.batch_size
        return rows[:cut].reshape(full, self.batch_size), (rows[cut:] if cut < self.samples else None)

    def resident(self, backend: Any) -> Any:
        """Return the data on the backend's device; put there once."""
        if backend not in self._resident:
            self._resident = {backend: tree.map_structure(backend.asarray, self.data)}
        return self._resident[backend]

    def first_batch(self) -> Any:
        """Return one batch, to learn shapes from."""
        return tree.map_structure(lambda leaf: leaf[: self.batch_size], self.data)


class StreamSource:
    """Batches from an iterable, fetched ahead by a thread.

    Args:
        make: returns an iterator from the beginning of the data; for a Python generator, the one there is.
        steps: batches in an epoch, None for "until it ends".
        goes_on: whether the next epoch begins where this one stopped (a generator, or a data set of which an epoch
            takes a part), not at the beginning.
        class_weight: weights by class, turned into sample weights.
        on_epoch_end: called after each epoch.
        depth: how many batches are fetched ahead.
    """

    def __init__(
        self,
        make: Callable[[], Iterator[Any]],
        steps: int | None,
        goes_on: bool = False,
        class_weight: dict[int, float] | None = None,
        on_epoch_end: Callable[[], None] | None = None,
        depth: int = 2,
    ) -> None:
        self._make = make
        self._goes_on = goes_on
        self._class_weight = class_weight
        self._first: list[Any] = []
        self._depth = depth
        self._iterator: Iterator[Any] | None = None
        self.steps = steps
        self.on_epoch_end = on_epoch_end

    def _prepare(self, batch: Any) -> tuple[Any, Any, Any]:
        parts = unpack_x_y_sample_weight(batch)
        names = ("x", "y", "sample_weight")
        host = [None if p is None else host_tree(p, n) for p, n in zip(parts, names, strict=True)]
        if self._class_weight is not None:
            if host[2] is not None:
                raise ValueError("Pass class_weight or sample_weight, not both: the batches carry sample weights.")
            host[2] = weights_from_classes(host[1], self._class_weight)
        check_host_arrays({n: p for n, p in zip(names, host, strict=True) if p is not None})
        return host[0], host[1], host[2]

    def first_batch(self) -> Any:
        """Return the first batch, to learn shapes from; it is given again by the next epoch."""
        if not self._first:
            self._iterator = self._begin()
            try:
                self._first = [next(self._iterator)]
            except StopIteration:
                raise ValueError("The data are empty: the generator or data set gave no batch.") from None
        return self._first[0]

    def _begin(self) -> Iterator[Any]:
        return prefetch(map(self._prepare, self._make()), self._depth)

    def epoch(self) -> Iterator[Any]:
        """Return the batches of one epoch: fewer than `steps` only where the data ended."""
        iterator = self._iterator if self._iterator is not None else self._begin()
        self._iterator = None
        pending, self._first = self._first, []
        count = 0
        fresh = False  # whether the iterator was begun again and gave nothing yet
        while self.steps is None or count < self.steps:
            try:
                batch = pending.pop() if pending else next(iterator)
            except StopIteration:
                if self.steps is None or not self._goes_on or fresh:
                    break
                iterator, fresh = self._begin(), True
                continue
            fresh = False
            count += 1
            yield batch
        if self._goes_on:
            self._iterator = iterator
        else:
            iterator.close()  # type: ignore[attr-defined]
        if self.on_epoch_end is not None:
            self.on_epoch_end()

    def close(self) -> None:
        """End the thread that fetches ahead."""
        if self._iterator is not None:
            self._iterator.close()  # type: ignore[attr-defined]
            self._iterator = None


Source: TypeAlias = ArraySource | StreamSource


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
    order = np.arange(len(dataset))
    if shuffle:
        order = random.host_generator(random.draw_seed()).permutation(order)
    dataset.on_epoch_begin()
    if dataset.workers <= 1:
        for i in order:
            yield dataset[int(i)]
        return
    with ThreadPoolExecutor(dataset.workers) as pool:
        waiting: list[Future[Any]] = []
        for i in order:
            waiting.append(pool.submit(dataset.__getitem__, int(i)))
            if len(waiting) >= dataset.max_queue_size:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()


def _stream(x: Any, steps: int | None, shuffle: bool, class_weight: dict[int, float] | None) -> StreamSource:
    goes_on = steps is not None
    if isinstance(x, PyDataset):
        return StreamSource(
            lambda: _dataset_batches(x, shuffle),
            len(x) if steps is None else steps,
            goes_on,
            class_weight,
            x.on_epoch_end,
            x.max_queue_size,
        )
    if hasattr(x, "__next__"):
        return StreamSource(lambda: x, steps, True, class_weight)
    length = len(x) if steps is None and hasattr(x, "__len__") else steps
    return StreamSource(lambda: iter(x), length, goes_on, class_weight)


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
    return ArraySource((host_x, host_y, weights), size, shuffle)
