"""Chunks of steps over arrays, which lie on the device."""

from __future__ import annotations

from collections.abc import Iterator

from polykeras.backend import Backend
from polykeras.training.chunks.chunk import Chunk, NextStop, end_of_chunk
from polykeras.training.data.array_source import ArraySource
from polykeras.training.shape_buckets import in_bucket
from polykeras.training.steps.sizes import ChunkSize
from polykeras.training.steps.step import Step


def array_chunks(
    source: ArraySource,
    step: Step,
    backend: Backend,
    size: ChunkSize,
    filled: bool = False,
    done: int = 0,
    next_stop: NextStop | None = None,
) -> Iterator[Chunk]:
    """Yield the chunks of an epoch over arrays.

    Args:
        source: the arrays.
        step: what runs.
        backend: where it runs.
        size: how long chunks are.
        filled: whether a last partial batch is filled up. If so, the step is given the numbers of the rows too.
        done: the steps of the epoch that are done already.
        next_stop: where a callback wants control; None for nowhere.
    """
    full, rest = source.order(filled)
    rows, steps = step.sizes.bucket(source.batch_size, source.samples, len(full))
    indices = backend.place(in_bucket(full, steps))
    data = source.resident(backend, filled, rows)
    start = done
    while start < len(full):
        stop = end_of_chunk(start, size, len(full), next_stop)
        yield start, stop, lambda first=start, last=stop: step.run_rows(data, indices, first, last)
        start = stop
    if rest is not None and start == len(full):
        # A batch of another shape; its one step is compiled by itself.
        row = backend.place(rest[None])
        yield start, start + 1, lambda: step.run_rows(data, row, 0, 1)
