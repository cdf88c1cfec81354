"""The source of batches: arrays in memory, or a stream."""

from __future__ import annotations

import itertools
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from polykeras import config
from polykeras.backend.foreign_data import batches_of
from polykeras.common import nested
from polykeras.common.arguments import positive_int
from polykeras.training.data.array_source import ArraySource
from polykeras.training.data.checks import host_tree, weights_from_classes
from polykeras.training.data.dataset import PyDataset
from polykeras.training.data.orders import Orders
from polykeras.training.data.streams import StreamSource
from polykeras.training.data.tables import is_sparse

if TYPE_CHECKING:
    from concurrent.futures import Future


Source: TypeAlias = ArraySource | StreamSource


def is_stream(x: Any) -> bool:
    """Return whether `x` is a stream of batches, and not arrays."""
    if isinstance(x, PyDataset) or hasattr(x, "__next__"):
        return True
    has_batches = (hasattr(x, "__iter__") or hasattr(x, "__getitem__")) and not is_sparse(x)
    return has_batches and not hasattr(x, "__array__") and not isinstance(x, (list, tuple, dict, np.ndarray))


def _dataset_batches(dataset: PyDataset, shuffle: bool | str, orders: Orders) -> Iterator[Any]:
    count = dataset.num_batches
    order: Iterable[int] = itertools.count() if count is None else range(count)
    if shuffle and count is not None:
        order = orders.permutation(count).tolist()
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
    """Return the number of batches of an iterable; None if it does not know."""
    try:
        return len(x)
    except TypeError:
        return None


def _stream(x: Any, steps: int | None, shuffle: bool | str, class_weight: dict[int, float] | None) -> StreamSource:
    if isinstance(x, PyDataset):
        length = x.num_batches
        if steps is None and length is None:
            raise ValueError(f"{type(x).__name__} is endless (num_batches is None): pass `steps_per_epoch` or `steps`.")
        orders = Orders()
        return StreamSource(
            lambda: _dataset_batches(x, shuffle, orders),
            steps,
            length=length,
            class_weight=class_weight,
            on_epoch_begin=x.on_epoch_begin,
            on_epoch_end=x.on_epoch_end,
            depth=x.max_queue_size,
            orders=orders,
        )
    if hasattr(x, "__next__"):
        return StreamSource(lambda: x, steps, restarts=False, class_weight=class_weight)
    return StreamSource(lambda: batches_of(x), steps, length=_length(x), class_weight=class_weight)


def make_source(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    shuffle: bool | str = False,
    class_weight: dict[int, float] | None = None,
    steps: int | None = None,
    steps_name: str = "steps",
) -> Source:
    """Return the source of batches for the data that a user passed to `fit`, `evaluate` or `predict`.

    Args:
        x: a tree of arrays of NumPy or any framework; or a generator, a `PyDataset`, a torch `DataLoader`, a
            `tf.data.Dataset` or another iterable of batches.
        y: a tree of arrays; None for streams.
        sample_weight: weights of the samples; None for streams.
        batch_size: 32 by default, or what `steps` batches need for all rows. Streams ignore it.
        shuffle: put the samples into a new order for each pass over them; see `ArraySource`.
        class_weight: weights by class.
        steps: batches per epoch; the next epoch goes on after them. None for all.
        steps_name: what the user's argument for `steps` is called, for messages.

    Raises:
        ValueError: the data do not fit together; see `check_host_arrays`. Or `steps` or `batch_size` is not positive.
    """
    if steps is not None:
        positive_int(steps, steps_name)
    source: Source
    if is_stream(x):
        for name, value in (("y", y), ("sample_weight", sample_weight)):
            if value is not None:
                raise ValueError(
                    f"`{name}` must not be given if x is a {type(x).__name__}. Its batches must be (x, y) or "
                    "(x, y, sample_weight)."
                )
        source = _stream(x, steps, shuffle, class_weight)
    else:
        size = None if batch_size is None else positive_int(batch_size, "batch_size")
        source = ArraySource(_host_data(x, y, sample_weight, class_weight), size, shuffle, steps)
    limit = config.max_steps_per_epoch()
    if limit is not None and (source.steps is None or source.steps > limit):
        warnings.warn(f"Epochs are limited to {limit} batches by `max_steps_per_epoch`.", UserWarning, stacklevel=3)
        source.limit_to(limit)
    return source


def make_batch(x: Any, y: Any, sample_weight: Any, class_weight: dict[int, float] | None) -> ArraySource:
    """Return a source of one batch. Arguments are as for `make_source`, but only arrays are taken."""
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
