"""What a chunk is, and where it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from polykeras.training.steps.sizes import ChunkSize

Chunk: TypeAlias = tuple[int, int, Callable[[], Any]]
"""The first step, the step after the last one, and a function that runs them and returns logs or outputs."""
NextStop: TypeAlias = Callable[[int], int | None]
"""Takes the number of steps done; returns the step after which a callback wants control, None where none does."""


def end_of_chunk(start: int, size: ChunkSize, most: int, next_stop: NextStop | None) -> int:
    """Return the step before which a chunk ends.

    Args:
        start: the first step.
        size: how long chunks are.
        most: the step before which it ends at the latest.
        next_stop: where a callback wants control; None for nowhere.
    """
    stop = next_stop(start) if next_stop else None
    end = min(start + size.steps, most)
    return end if stop is None else min(end, max(stop, start + 1))
