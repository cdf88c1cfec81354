"""Chunks of steps over arrays, which lie on the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from polykeras.backend import Backend
from polykeras.distribution.workers import Workers
from polykeras.training.chunks.chunk import Chunk, ChunkEnds
from polykeras.training.data.array_source import ArraySource
from polykeras.training.shape_buckets import in_bucket
from polykeras.training.steps.step import Step


def array_chunks(
    source: ArraySource,
    step: Step,
    backend: Backend,
    ends: ChunkEnds,
    workers: Workers,
    step_of_whole: Callable[[], Step],
    filled: bool = False,
    done: int = 0,
) -> Iterator[Chunk]:
    """Yield the chunks of an epoch over arrays.

    Args:
        source: the arrays.
        step: what runs.
        backend: where it runs.
        ends: where chunks end.
        workers: those that share each batch.
        step_of_whole: returns the step for a batch that cannot be shared, which runs on all workers.
        filled: whether a last partial batch is filled up. If so, the step is given the numbers of the rows too.
        done: the steps of the epoch that are done already.
    """
    full, rest = source.order(filled)
    rows, steps = step.sizes.bucket(source.batch_size, source.samples, len(full))
    indices = step.place_data(backend.place(in_bucket(workers.columns(full), steps)))
    data = step.place_data(source.resident(backend, filled, rows))
    start = done
    while start < len(full):
        stop = ends.after(start, len(full), full.shape[1])
        if stop == start:
            return
        yield start, stop, lambda first=start, last=stop: step.run_rows(data, indices, first, last)
        start = stop
    if rest is not None and start == len(full) and ends.after(start, start + 1, len(rest)) > start:
        # A batch of another shape; its one step is compiled by itself.
        shares = workers.divides(len(rest))
        last = step if shares else step_of_whole()
        row = backend.place(workers.columns(rest[None]) if shares else rest[None])
        yield start, start + 1, lambda: last.run_rows(data, row, 0, 1)
