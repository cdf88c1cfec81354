"""Chunks of steps over a stream of batches.

Small batches that are there already run together, as one chunk of rows: a step of a small model costs less than it
takes to call it. Nothing waits for that: of a slow source each batch runs when it comes. The steps are the same
compiled ones whatever their number, so that the results do not depend on the source's speed.
"""

from __future__ import annotations

from collections.abc import Iterator

from polykeras import tree
from polykeras.backend import Backend
from polykeras.training.data.packs import Pack
from polykeras.training.data.streams import StreamSource
from polykeras.training.steps import Chunk, ChunkSize, CompiledStep, EagerStep


def stream_chunks(source: StreamSource, step: CompiledStep, backend: Backend, size: ChunkSize) -> Iterator[Chunk]:
    """Return the chunks of an epoch over a stream, as `array_chunks`; batches are fetched while a chunk runs."""
    packs = backend.is_compiled() and not isinstance(step, EagerStep)
    position = 0
    for item in source.packs() if packs else source.epoch():
        if isinstance(item, Pack):
            yield from _chunks_of(item, position, step, backend, size)
            position += item.count
            source.give_back(item)
        else:
            yield position, lambda batch=item: (step.run_batch(batch), 1)
            position += 1


def _chunks_of(pack: Pack, position: int, step: CompiledStep, backend: Backend, size: ChunkSize) -> Iterator[Chunk]:
    """Return the chunks over a pack whose first batch has a position in the epoch.

    The arrays are used in place where that can be, so that all of their room can be passed: the shapes, and what is
    compiled for them, do not depend on how many batches are there.
    """
    data = tree.map_structure(backend.borrow, pack.rows())
    numbers = backend.asarray(pack.row_numbers())
    start = 0
    while start < pack.count:
        stop = min(start + size.steps, pack.count)
        yield position + start, lambda a=start, b=stop: (step.run_rows(data, numbers, a, b), b - a)
        start = stop
