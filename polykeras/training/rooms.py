"""How much room data get on the device, where steps are compiled for each number of rows and of steps.

The first data that a step meets get the room that they need. Where the next ones have another size, as in the folds of
a cross-validation, they get the room of earlier ones if they fit, or a rounded one, the coarser the more rooms there
are: sizes that change all the time are few programs. Nothing looks at the rows that are too many.
"""

from __future__ import annotations

import numpy as np

from polykeras.backend.host_memory import aligned_empty

_MOST = 2  # times the rows: more room is not taken, but a program compiled


class Rooms:
    """Remembers the rooms that were given: pairs of a number of rows and a number of steps."""

    def __init__(self) -> None:
        self._given: list[tuple[int, int]] = []

    def fitting(self, rows: int, steps: int) -> tuple[int, int]:
        """Return for how many rows, and indices of how many steps, to make room."""
        known = [room for room in self._given if rows <= room[0] <= _MOST * rows and steps <= room[1]]
        if known:
            return min(known)
        coarser = min(len(self._given) - 1, 3)
        room = (rounded(rows, coarser), rounded(steps, coarser)) if self._given else (rows, steps)
        self._given.append(room)
        return room


def rounded(size: int, coarser: int = 0) -> int:
    """Return the next of few numbers: an eighth greater at most; with `coarser` 1, 2 or 3 a quarter, a half, twice."""
    unit = 1 << max(0, size.bit_length() - 4 + coarser)
    return -(-size // unit) * unit


def in_room(x: np.ndarray, rows: int) -> np.ndarray:
    """Return an array with so many rows, by repeating the first one, in memory that can be lent; itself if it has."""
    if len(x) == rows:
        return x
    shape = (rows, *x.shape[1:])
    room = aligned_empty(shape, x.dtype) if x.dtype.kind in "fiub" else np.empty(shape, x.dtype)
    room[: len(x)] = x
    room[len(x) :] = x[:1]
    return room
