"""Shape buckets: sizes that data are rounded up to, for backends that compile each number of rows and of steps.

The first data of a step get the size that they need. Data of another size, as in the folds of a cross-validation, get
a bucket of earlier data if they fit into one, or else a new one. The more buckets there are, the more coarsely new ones
are rounded: sizes that change all the time need few programs. No step reads the rows that are too many.
"""

from __future__ import annotations

import numpy as np

from polykeras.backend.host_memory import aligned_empty

_MOST = 2  # times the rows of the data: a larger bucket is not used


class ShapeBuckets:
    """The buckets that were given so far: pairs of a number of rows and a number of steps."""

    def __init__(self) -> None:
        self._given: list[tuple[int, int]] = []

    def fitting(self, rows: int, steps: int) -> tuple[int, int]:
        """Return a bucket for data.

        Args:
            rows: the number of rows of the data.
            steps: the number of steps of an epoch.

        Returns:
            The number of rows, and the number of steps that have indices.
        """
        large_enough = [bucket for bucket in self._given if rows <= bucket[0] <= _MOST * rows and steps <= bucket[1]]
        if large_enough:
            return min(large_enough)
        coarser = min(len(self._given), 3)
        bucket = (rounded(rows, coarser), rounded(steps, coarser)) if self._given else (rows, steps)
        self._given.append(bucket)
        return bucket


def rounded(size: int, coarser: int) -> int:
    """Round a size up to one of few numbers; return that.

    Args:
        size: an int, 1 or more.
        coarser: 1 adds a quarter at most, 2 a half, 3 the size itself.
    """
    unit = 1 << max(0, size.bit_length() - 4 + coarser)
    return -(-size // unit) * unit


def in_bucket(x: np.ndarray, rows: int) -> np.ndarray:
    """Return an array with the rows of a bucket: its first row is repeated at the end, or 0 if there is none.

    Args:
        x: an array; it is returned as it is if it has so many rows already.
        rows: the rows of the bucket, not fewer than those of `x`.

    Returns:
        The array, in memory that can be lent.
    """
    if len(x) == rows:
        return x
    shape = (rows, *x.shape[1:])
    bucket = aligned_empty(shape, x.dtype) if x.dtype.kind in "fiub" else np.empty(shape, x.dtype)
    bucket[: len(x)] = x
    bucket[len(x) :] = x[:1] if len(x) else 0
    return bucket
