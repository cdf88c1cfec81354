"""Chunks of steps over a stream of batches.

Small batches that are there already run as one chunk: a step of a small model costs less than it takes to call it. The
steps are the same compiled ones whatever their number, so that the results do not depend on the source's speed.
"""

from __future__ import annotations

from collections.abc import Iterator

from polykeras.backend import Backend
from polykeras.training.chunks import Chunk, NextStop, end_of_chunk, never
from polykeras.training.data.batches import BufferSlice
from polykeras.training.data.streams import StreamSource
from polykeras.training.steps.sizes import ChunkSize
from polykeras.training.steps.step import Step


def stream_chunks(
    source: StreamSource,
    step: Step,
    backend: Backend,
    size: ChunkSize,
    done: int = 0,
    next_stop: NextStop = never,
) -> Iterator[Chunk]:
    """Return the chunks of an epoch over a stream, as `array_chunks`; a thread may read batches while a chunk runs.

    Where the user says how many steps run in one go, each chunk has so many, except where the data, or batches of the
    first one's shapes, end.
    """
    for item in source.epoch(size.fixed or 1 if step.compiles else 0):
        if not isinstance(item, BufferSlice):
            yield done, lambda batch=item: (step.run_batch(batch), 1)
            done += 1
            continue
        data, indices = item.buffer.on_device(backend), item.buffer.indices
        start = item.start
        while start < item.stop:
            stop = start + end_of_chunk(done, size, done + item.stop - start, next_stop) - done
            yield done, lambda d=data, i=indices, a=start, b=stop: (step.run_rows(d, i, a, b), b - a)
            done, start = done + stop - start, stop
