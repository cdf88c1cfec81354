"""Chunks of steps over a stream of batches.

Small batches that are there already run together, as one chunk of rows: a step of a small model costs less than it
takes to call it. For some milliseconds the reader waits until there is work worth beginning; of a slow source batches
run as they come. The steps are the same compiled ones whatever their number, so that the results do not depend on the
source's speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from polykeras.backend import Backend
from polykeras.common import nested
from polykeras.training.chunks import Chunk, ChunkSize, NextStop, end_of_chunk, never
from polykeras.training.data.packs import Pack
from polykeras.training.data.streams import StreamSource
from polykeras.training.steps import CompiledStep, EagerStep


def stream_chunks(
    source: StreamSource,
    step: CompiledStep,
    backend: Backend,
    size: ChunkSize,
    done: int = 0,
    next_stop: NextStop = never,
) -> Iterator[Chunk]:
    """Return the chunks of an epoch over a stream, as `array_chunks`; a thread may fetch batches while a chunk runs.

    Where the user says how many steps run in one go, each chunk has so many, except where the data, or batches of the
    first one's shapes, end.
    """
    alone = isinstance(step, EagerStep) or not backend.is_compiled()
    together = size.fixed if size.fixed is not None and size.fixed > 1 else None
    position = done
    for item in source.epoch() if alone else source.packs(together):
        if not isinstance(item, Pack):
            yield position, lambda batch=item: (step.run_batch(batch), 1)
            position += 1
            continue
        yield from _chunks_of(item, position, step, backend, size, next_stop)
        position += item.count
        item.release()


def _chunks_of(
    pack: Pack,
    position: int,
    step: CompiledStep,
    backend: Backend,
    size: ChunkSize,
    next_stop: NextStop,
) -> Iterator[Chunk]:
    """Return the chunks over a pack whose first batch has a position in the epoch.

    The arrays are used in place where that can be, so that all of their room can be passed: the shapes, and what is
    compiled for them, do not depend on how many batches are there.
    """
    data = _borrowed(pack, backend)
    start = 0
    while start < pack.count:
        stop = end_of_chunk(position + start, size, position + pack.count, next_stop) - position
        yield position + start, lambda a=start, b=stop: (step.run_rows(data, pack.numbers, a, b), b - a)
        start = stop


def _borrowed(pack: Pack, backend: Backend) -> Any:
    """Return the rows of a pack on the device, for compiled steps.

    What is the pack's memory itself is kept with it, as its next batches will lie there: to borrow an array takes as
    long as some steps of a small model.
    """
    name = backend.name
    if name in pack.ready:
        return pack.ready[name]
    leaves, definition = nested.flatten_with_def(pack.rows())
    if name not in pack.borrowed:
        places = [place for place, leaf in enumerate(leaves) if backend.borrows_in_place(leaf)]
        pack.borrowed[name] = {place: backend.borrow(leaves[place]) for place in places}
    kept = pack.borrowed[name]
    arrays = [kept[place] if place in kept else backend.borrow(leaf) for place, leaf in enumerate(leaves)]
    rows = nested.unflatten(definition, arrays)
    if len(kept) == len(leaves):
        rows = pack.ready[name] = backend.ready_rows(rows, pack.numbers)
    return rows
