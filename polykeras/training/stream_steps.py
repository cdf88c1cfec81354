"""Chunks of steps over a stream of batches.

Small batches that are there already run together, as one chunk of rows: a step of a small model costs less than it
takes to call it. Nothing waits for that: of a slow source each batch runs when it comes. The steps are the same
compiled ones whatever their number, so that the results do not depend on the source's speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from polykeras import tree
from polykeras.backend import Backend
from polykeras.training.data.sources import StreamSource
from polykeras.training.steps import Chunk, ChunkSize, CompiledStep, EagerStep

STACK_BYTES = 4 * 2**20
STACK_BATCHES = 64


class _Stack:
    """Room on the host for several batches in the shapes of a first one."""

    def __init__(self, batch: Any, capacity: int, backend: Backend) -> None:
        self._backend = backend
        leaves, self._definition = tree.flatten_with_def(batch)
        self._kinds = [(leaf.shape, leaf.dtype) for leaf in leaves]
        self._room = [np.zeros((capacity, *leaf.shape), leaf.dtype) for leaf in leaves]
        self._rows = backend.asarray(np.arange(capacity * len(leaves[0]), dtype=np.int32).reshape(capacity, -1))
        self.capacity = capacity

    def fits(self, batch: Any) -> bool:
        """Return whether a batch is of the same structure, shapes and dtypes."""
        leaves, definition = tree.flatten_with_def(batch)
        return definition == self._definition and [(leaf.shape, leaf.dtype) for leaf in leaves] == self._kinds

    def run(self, step: CompiledStep, batches: list[Any]) -> Any:
        """Run a step on each of at most `capacity` batches; return the logs of the last one."""
        for i, batch in enumerate(batches):
            for room, leaf in zip(self._room, tree.flatten(batch), strict=True):
                room[i] = leaf
        flat = [self._backend.place(room.reshape(-1, *room.shape[2:])) for room in self._room]
        return step.run_rows(tree.unflatten(self._definition, flat), self._rows, 0, len(batches))


def _capacity(batch: Any) -> int:
    """Return how many batches like this one may be run together; 1 for large ones, whose copies would cost more."""
    size = sum(leaf.nbytes for leaf in tree.flatten(batch))
    return min(STACK_BATCHES, STACK_BYTES // max(size, 1))


class _Batches:
    """The batches of an epoch, of which the next one may be looked at, and an error waits until it is taken."""

    def __init__(self, source: StreamSource) -> None:
        self._source = source
        self._items = source.epoch()
        self._next: Any = None
        self._error: Exception | None = None

    def peek(self) -> Any:
        """Return the next batch, None at the end or where an error comes next. Waits for it."""
        if self._next is None and self._error is None:
            try:
                self._next = next(self._items, None)
            except Exception as error:
                self._error = error
        return self._next

    def is_ready(self) -> bool:
        """Return whether `peek` would not wait."""
        return self._next is not None or self._error is not None or self._source.is_ready()

    def take(self) -> Any:
        """Return the next batch, or raise the error in its place."""
        batch = self.peek()
        if self._error is not None:
            raise self._error
        self._next = None
        return batch

    def is_over(self) -> bool:
        """Return whether nothing comes any more, neither a batch nor an error."""
        return self.peek() is None and self._error is None


def stream_chunks(source: StreamSource, step: CompiledStep, backend: Backend, size: ChunkSize) -> Iterator[Chunk]:
    """Return the chunks of an epoch over a stream, as `array_chunks`; batches are fetched while a chunk runs."""
    batches = _Batches(source)
    position = 0
    stack: _Stack | None = None
    first = batches.peek()
    if first is not None and backend.is_compiled() and not isinstance(step, EagerStep):
        capacity = _capacity(first)
        if capacity > 1:
            stack = _Stack(first, capacity, backend)
            source.deepen(capacity)

    def run() -> tuple[Any, int]:
        nonlocal position
        batch = batches.take()
        if stack is None or not stack.fits(batch):
            position += 1
            return step.run_batch(batch), 1
        taken = [batch]
        limit = min(size.steps, stack.capacity)
        while len(taken) < limit and batches.is_ready() and (more := batches.peek()) is not None and stack.fits(more):
            taken.append(batches.take())
        position += len(taken)
        return stack.run(step, taken), len(taken)

    while not batches.is_over():
        yield position, run
