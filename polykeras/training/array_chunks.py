"""Chunks of steps over arrays, which lie on the device.

What compiles a step takes memory, a hundred MB for a small model, and gives it back. So large data come to the device
after it: the most that is taken at once is then not the sum of both. (Another step, for validation or a last batch of
fewer rows, is compiled beside the data that are there by then.)
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from polykeras.backend import Backend
from polykeras.backend.host_memory import give_back
from polykeras.training.chunks import Chunk, ChunkSize, NextStop, end_of_chunk, never
from polykeras.training.data.array_source import ArraySource
from polykeras.training.shape_buckets import in_bucket
from polykeras.training.steps.compiled import CompiledStep

_COMPILED = 0.05  # seconds, in which a chunk of no steps was compiled and not only called; no number depends on it


def array_chunks(
    source: ArraySource,
    step: CompiledStep,
    backend: Backend,
    size: ChunkSize,
    filled: bool = False,
    done: int = 0,
    next_stop: NextStop = never,
) -> Iterator[Chunk]:
    """Return the chunks of an epoch over arrays: the number of the first step, and a function that runs the chunk.

    The function returns the last logs and the number of steps done.

    Args:
        source: the arrays.
        step: what runs.
        backend: where it runs.
        size: how long chunks are.
        filled: whether a last partial batch is filled up; the step is given the numbers of the rows too.
        done: the steps of the epoch that were done already.
        next_stop: where chunks end at the latest.
    """
    full, rest = source.order(filled)
    rows, steps = step.bucket(source.batch_size, source.samples, len(full))
    indices = backend.place(in_bucket(full, steps))
    if done < len(full):
        _compile_ahead(source, step, backend, indices, rows, filled)
    data = source.resident(backend, filled, rows)
    start = done
    while start < len(full):
        stop = end_of_chunk(start, size, len(full), next_stop)
        yield start, lambda first=start, last=stop: (step.run_rows(data, indices, first, last), last - first)
        start = stop
    if rest is not None and start == len(full):
        # A batch of another shape; its one step is compiled by itself.
        row = backend.place(rest[None])
        yield start, lambda: (step.run_rows(data, row, 0, 1), 1)


def _compile_ahead(
    source: ArraySource, step: CompiledStep, backend: Backend, indices: Any, rows: int, numbered: bool
) -> None:
    """Compile the steps over data that are not on the device yet, where they are large and the backend can do so."""
    if step.is_eager or not backend.execution.compiles_ahead() or not source.is_to_come(backend, rows):
        return
    begin = time.perf_counter()
    step.compile_rows(source.room(backend, numbered, rows), indices)
    if time.perf_counter() - begin > _COMPILED:
        give_back()
