"""Chunks of steps by functions of the user's own: an assigned `train_function`, or what `make_train_function` made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from polykeras.backend import Backend
from polykeras.common import nested
from polykeras.training.chunks import Chunk
from polykeras.training.data.array_source import ArraySource
from polykeras.training.data.sources import Source


class Batches(list[Any]):
    """The batches of one call: an iterator, as Keras gives on JAX and TensorFlow, and a list, as on PyTorch."""

    def __iter__(self) -> Batches:
        return self

    def __next__(self) -> Any:
        if not self:
            raise StopIteration
        return self.pop(0)


def function_chunks(
    source: Source, function: Callable[[Any], Any], backend: Backend, size: int, done: int = 0
) -> Iterator[tuple[int, int, Callable[[], Any]]]:
    """Return the chunks of an epoch, as `prediction_chunks`: each is one call of a function on so many batches.

    Args:
        source: the data.
        function: takes `Batches` of the backend's arrays; returns logs or predictions.
        backend: where it runs.
        size: how many batches a call has; fewer where the data end.
        done: the steps of the epoch that were done already.
    """
    epoch = source.epoch(done) if isinstance(source, ArraySource) else source.epoch()
    while host := list(islice(epoch, size)):
        batches = Batches(nested.map_structure(backend.place, host))
        yield done, done + len(host), lambda given=batches: function(given)
        done += len(host)


def logged_chunks(
    source: Source, function: Callable[[Any], Any], backend: Backend, size: int, done: int = 0
) -> Iterator[Chunk]:
    """Return the chunks of an epoch of training or evaluation; arguments as for `function_chunks`.

    Raises:
        TypeError: a call returned no dict of logs.
    """

    def logged(execute: Callable[[], Any]) -> dict[str, Any]:
        logs = execute()
        if not isinstance(logs, dict):
            raise TypeError(f"Expected a dict of logs by name from {function!r}; received {logs!r}.")
        return logs

    for start, stop, execute in function_chunks(source, function, backend, size, done):
        yield start, lambda execute=execute, count=stop - start: (logged(execute), count)
