"""Chunks that a user's own function runs: an assigned `train_function`, or what `make_train_function` made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from polykeras.backend import Backend
from polykeras.common import nested
from polykeras.training.chunks.chunk import Chunk
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


def batches_in_call(model: Any) -> int:
    """Return how many batches one call of a user's function gets: one where `compile` was told nothing."""
    return 1 if model.steps_per_execution == "auto" else int(model.steps_per_execution)


def function_chunks(
    source: Source, function: Callable[[Any], Any], backend: Backend, size: int, done: int = 0
) -> Iterator[Chunk]:
    """Yield the chunks of an epoch: each is one call of a function.

    Args:
        source: the data.
        function: takes `Batches` of the backend's arrays; returns logs or predictions.
        backend: where it runs.
        size: how many batches a call gets; fewer where the data end.
        done: the steps of the epoch that are done already.
    """
    epoch = source.epoch_batches(done) if isinstance(source, ArraySource) else source.read_epoch()
    while host := list(islice(epoch, size)):
        batches = Batches(nested.map_structure(backend.place, host))
        yield done, done + len(host), lambda given=batches: function(given)
        done += len(host)
