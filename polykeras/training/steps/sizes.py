"""What a step learns of sizes: how many steps to run in one call, and how large the data are on the device."""

from __future__ import annotations

from math import log2
from typing import Any

from polykeras.common import nested
from polykeras.common.lru_cache import LRUCache
from polykeras.training.shape_buckets import ShapeBuckets

CHUNK_SECONDS = 0.1  # to which the number of steps comes as near as a power of two can
MOST_STEPS = 2**16


class ChunkSize:
    """The number of steps in a chunk, a power of two, chosen by the time that chunks took.

    A chunk is long enough that dispatch costs nothing, and short enough that a progress bar moves. Few numbers occur,
    so that backends that run several steps at a time have no steps left over.

    Args:
        fixed: the number that the user or a callback asks for; None to choose.
    """

    def __init__(self, fixed: int | None = None) -> None:
        self.fixed = fixed
        self._chosen = 1
        self.compiles_next = True  # its time does not count

    @property
    def steps(self) -> int:
        """The number of steps in the next chunk."""
        return self.fixed or self._chosen

    def record(self, steps: int, seconds: float) -> None:
        """Take note of the time of a chunk. One that compiles, as the first one does, does not count.

        Args:
            steps: the number of steps that ran.
            seconds: the time that they took.
        """
        if not self.compiles_next and not self.fixed:
            wanted = CHUNK_SECONDS * steps / max(seconds, 1e-6)
            # Grow by at most eight times: a short chunk is mostly overhead and says little.
            self._chosen = 2 ** round(log2(max(1, min(wanted, 8 * self._chosen, MOST_STEPS))))
        self.compiles_next = False


class StepSizes:
    """What is known of the sizes of batches and data for one step, and of the checks around it.

    Args:
        compiles_each_size: see `ExecutionPolicy`.

    Attributes:
        fills: whether the step takes batches that are filled up, by `shapes_of` a batch; see `steps/fillable.py`.
    """

    def __init__(self, compiles_each_size: bool) -> None:
        self._compiles_each_size = compiles_each_size
        self._chunks: LRUCache[ChunkSize] = LRUCache()  # by `shapes_of` a batch
        self._buckets: LRUCache[ShapeBuckets] = LRUCache()  # by the rows of a batch
        self.fills: LRUCache[bool] = LRUCache()

    def chunk(self, batch: Any, fixed: int | None) -> ChunkSize:
        """Return the size of chunks for batches like this one.

        Args:
            batch: one batch, whose values are not read.
            fixed: the number of steps that is asked for; None for the size that was learned.
        """
        if fixed:
            return ChunkSize(fixed)
        key = shapes_of(batch)
        return self._chunks.get(key) or self._chunks.put(key, ChunkSize())

    def compile_next(self) -> None:
        """Note that the next chunk of any size compiles."""
        for chunk in self._chunks.values():
            chunk.compiles_next = True

    def bucket(self, batch: int, rows: int, steps: int) -> tuple[int, int]:
        """Return the sizes for which to compile; see `ShapeBuckets`.

        Args:
            batch: the rows of a batch.
            rows: the rows of the data.
            steps: the steps of an epoch.

        Returns:
            The number of rows, and the number of steps that have indices.
        """
        if not self._compiles_each_size:
            return rows, steps
        return (self._buckets.get(batch) or self._buckets.put(batch, ShapeBuckets())).fitting(rows, steps)


def shapes_of(batch: Any) -> tuple[Any, ...]:
    """Return the structure of a batch and the shape of each of its arrays, as a key."""
    leaves, definition = nested.flatten_with_def(batch)
    return (definition, *(leaf.shape for leaf in leaves))
