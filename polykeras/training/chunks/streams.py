"""Chunks of steps over a stream of batches.

Small batches that are there already run as one chunk: a step of a small model costs less than it takes to call it. The
steps are the same compiled ones whatever their number, so that the results do not depend on the speed of the source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from polykeras.backend import Backend
from polykeras.distribution.workers import Workers
from polykeras.training.chunks.chunk import Chunk, ChunkEnds
from polykeras.training.data.batches import BufferSlice
from polykeras.training.data.streams import StreamSource
from polykeras.training.parallel.share import rows_of
from polykeras.training.steps.step import Step


def stream_chunks(
    source: StreamSource,
    step: Step,
    backend: Backend,
    ends: ChunkEnds,
    workers: Workers,
    step_of_whole: Callable[[], Step],
    done: int = 0,
) -> Iterator[Chunk]:
    """Yield the chunks of an epoch over a stream; a thread may read batches while a chunk runs.

    Where the user says how many steps run in one call, each chunk has so many, except where the data, or batches of the
    signature of the first one, end.

    Args:
        source: the stream.
        step: what runs.
        backend: where it runs.
        ends: where chunks end.
        workers: those that share each batch.
        step_of_whole: returns the step for a batch that cannot be shared, which runs on all workers.
        done: the steps of the epoch that are done already.
    """
    cutting = workers.of_streams()
    for item in source.read_epoch(ends.size.fixed or (1 if step.compiles else 0)):
        if not isinstance(item, BufferSlice):
            rows = rows_of(item)
            if ends.after(done, done + 1, rows) == done:
                return
            run, batch = step, item
            if cutting.divides(rows):
                batch = cutting.cut(item)
            elif cutting.share_batches:
                run = step_of_whole()
            yield done, done + 1, lambda run=run, batch=batch: run.run_batch(batch)
            done += 1
            continue
        data, indices = item.buffer.on_device(backend), cutting.columns(item.buffer.indices)
        rows = indices.shape[1]
        offset = item.start - done  # of the place in the buffer from the number of the step
        end = item.stop - offset
        while done < end:
            first, done = done, ends.after(done, end, rows)
            if done == first:
                return
            a, b = first + offset, done + offset
            yield first, done, lambda d=data, i=indices, a=a, b=b: step.run_rows(d, i, a, b)
    if ends.agree is not None:
        ends.agree(done, done, 0)
