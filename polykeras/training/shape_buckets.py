"""Shape buckets: the sizes that data get on the device, where steps are compiled for each number of rows and of steps.

The first data of a step get the size that they need. Where the next ones have another size, as in the folds of a
cross-validation, they get a bucket of earlier data if they fit, or a rounded one, the coarser the more buckets there
are: sizes that change all the time are few programs. No step reads the rows that are too many.
"""

from __future__ import annotations

import numpy as np

from polykeras.backend.host_memory import aligned_empty

_MOST = 2  # times the rows: a larger bucket is not used, but a program compiled


class ShapeBuckets:
    """Remembers the buckets that were given: pairs of a number of rows and a number of steps."""

    def __init__(self) -> None:
        self._given: list[tuple[int, int]] = []

    def fitting(self, rows: int, steps: int) -> tuple[int, int]:
        """Return the number of rows of a bucket, and of how many steps the indices are, for data of a size."""
        large_enough = [bucket for bucket in self._given if rows <= bucket[0] <= _MOST * rows and steps <= bucket[1]]
        if large_enough:
            return min(large_enough)
        coarser = min(len(self._given) - 1, 3)
        bucket = (rounded(rows, coarser), rounded(steps, coarser)) if self._given else (rows, steps)
        self._given.append(bucket)
        return bucket


def rounded(size: int, coarser: int = 0) -> int:
    """Return the next of few numbers: an eighth greater at most; with `coarser` 1, 2 or 3 a quarter, a half, twice."""
    unit = 1 << max(0, size.bit_length() - 4 + coarser)
    return -(-size // unit) * unit


def in_bucket(x: np.ndarray, rows: int) -> np.ndarray:
    """Return an array of so many rows, the first one repeated at the end, in memory that can be lent.

    Args:
        x: an array of at most so many rows; it is returned as it is where it has them all.
        rows: those of the bucket.
    """
    if len(x) == rows:
        return x
    shape = (rows, *x.shape[1:])
    bucket = aligned_empty(shape, x.dtype) if x.dtype.kind in "fiub" else np.empty(shape, x.dtype)
    bucket[: len(x)] = x
    bucket[len(x) :] = x[:1]
    return bucket
