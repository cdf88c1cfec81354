"""What a chunk is, and where it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from polykeras.training.steps.sizes import ChunkSize

Chunk: TypeAlias = tuple[int, int, Callable[[], Any]]
"""The first step, the step after the last one, and a function that runs them and returns logs or outputs."""


@dataclass(frozen=True, slots=True)
class ChunkEnds:
    """Where the chunks of an epoch end.

    Attributes:
        size: how long chunks are.
        next_stop: takes the number of steps done; returns the step after which a callback wants control, None where
            none does.
        agree: takes the first step of a chunk, the step before which it would end here, and the rows of a batch here;
            returns the step before which the chunk ends on all workers. None for one worker.
    """

    size: ChunkSize
    next_stop: Callable[[int], int | None] | None = None
    agree: Callable[[int, int, int], int] | None = None

    def after(self, start: int, most: int, rows: int = 0) -> int:
        """Return the step before which a chunk ends; `start` if the epoch ends before it.

        Args:
            start: the first step.
            most: the step before which it ends at the latest; `start` if there are no data for it.
            rows: the rows of a batch here, for workers that read their own ones.
        """
        end = min(start + self.size.steps, most)
        stop = self.next_stop(start) if self.next_stop else None
        if stop is not None:
            end = min(end, max(stop, start + 1))
        return self.agree(start, end, rows) if self.agree else end
