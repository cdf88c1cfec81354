"""Chunks of steps over a stream of batches.

Small batches that are there already run as one chunk: a step of a small model costs less than it takes to call it. The
steps are the same compiled ones whatever their number, so that the results do not depend on the speed of the source.
"""

from __future__ import annotations

from collections.abc import Iterator

from polykeras.backend import Backend
from polykeras.training.chunks.chunk import Chunk, NextStop, end_of_chunk
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
    next_stop: NextStop | None = None,
) -> Iterator[Chunk]:
    """Yield the chunks of an epoch over a stream; a thread may read batches while a chunk runs.

    Where the user says how many steps run in one call, each chunk has so many, except where the data, or batches of the
    signature of the first one, end.

    Args:
        source: the stream.
        step: what runs.
        backend: where it runs.
        size: how long chunks are.
        done: the steps of the epoch that are done already.
        next_stop: where a callback wants control; None for nowhere.
    """
    for item in source.read_epoch(size.fixed or 1 if step.compiles else 0):
        if not isinstance(item, BufferSlice):
            yield done, done + 1, lambda batch=item: step.run_batch(batch)
            done += 1
            continue
        data, indices = item.buffer.on_device(backend), item.buffer.indices
        offset = item.start - done  # of the place in the buffer from the number of the step
        end = item.stop - offset
        while done < end:
            first, done = done, end_of_chunk(done, size, end, next_stop)
            a, b = first + offset, done + offset
            yield first, done, lambda d=data, i=indices, a=a, b=b: step.run_rows(d, i, a, b)
