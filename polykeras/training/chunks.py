"""Chunks: consecutive steps that run in one call of a backend."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeAlias

from polykeras.training.steps.sizes import ChunkSize

Chunk: TypeAlias = tuple[int, Callable[[], tuple[Any, int]]]
NextStop: TypeAlias = Callable[[int], int | None]
"""Says, for a number of steps done, after which step of the epoch somebody wants control; None where nobody does."""


def never(done: int) -> None:
    """Want control nowhere in an epoch."""


def end_of_chunk(start: int, size: ChunkSize, most: int, next_stop: NextStop) -> int:
    """Return the step before which a chunk ends: at `most`, and where somebody wants control."""
    stop = next_stop(start)
    end = min(start + size.steps, most)
    return end if stop is None else min(end, max(stop, start + 1))


def timed(run: Callable[[], tuple[Any, int]], to_host: Callable[[Any], Any]) -> tuple[tuple[Any, int], float]:
    """Run a chunk and bring its logs to the host, which waits for it; return both results and the seconds it took."""
    begin = time.perf_counter()
    logs, steps = run()
    return (to_host(logs), steps), time.perf_counter() - begin
