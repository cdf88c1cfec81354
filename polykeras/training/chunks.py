"""How many steps run in one go, without the host.

A chunk is long enough that dispatch costs nothing, and short enough that a progress bar moves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import log2
from typing import Any, TypeAlias

CHUNK_SECONDS = 0.1  # to which the number of steps comes as near as a power of two can
MOST_STEPS = 2**16


class ChunkSize:
    """Chooses how many steps run in one go, a power of two, from how long they took.

    Few numbers occur, so that what goes several steps at a time within a chunk comes out even.

    Args:
        fixed: a number that the user or a callback asks for; None to choose.
    """

    def __init__(self, fixed: int | None = None) -> None:
        self.fixed = fixed
        self._chosen = 1
        self._compiled = False

    @property
    def steps(self) -> int:
        """The number of steps of the next chunk."""
        return self.fixed or self._chosen

    def record(self, steps: int, seconds: float) -> None:
        """Take note of a chunk's time. The first chunk is left out: it compiles."""
        if self._compiled and not self.fixed:
            wanted = CHUNK_SECONDS * steps / max(seconds, 1e-6)
            # Grow by at most eight times: a short chunk is mostly overhead and says little.
            self._chosen = 2 ** round(log2(max(1, min(wanted, 8 * self._chosen, MOST_STEPS))))
        self._compiled = True


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
