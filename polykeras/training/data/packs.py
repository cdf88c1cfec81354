"""Small batches of a stream, one after the other in the same arrays, so that many steps can run on them in one go."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import tree
from polykeras.backend.host_memory import aligned_zeros

PACK_BYTES = 4 * 2**20
PACK_BATCHES = 64


class Pack:
    """Room for several batches, of which the first `count` are there.

    Attributes:
        arrays: one for each leaf of a batch, `(capacity, *shape of the leaf)`.
        definition: the structure of a batch.
        count: how many batches there are.
    """

    def __init__(self, arrays: list[np.ndarray], definition: Any) -> None:
        self.arrays = arrays
        self.definition = definition
        self.count = 0

    def write(self, place: int, batch: Any) -> None:
        """Copy a batch to a place; it counts when `count` says so."""
        for room, leaf in zip(self.arrays, tree.flatten(batch), strict=True):
            room[place] = leaf

    def batch(self, place: int) -> Any:
        """Return a batch, as views."""
        return tree.unflatten(self.definition, [room[place] for room in self.arrays])

    def rows(self, count: int | None = None) -> Any:
        """Return the rows of the first `count` batches as those of one batch, as views; by default of all the room."""
        parts = [room[:count] for room in self.arrays]
        return tree.unflatten(self.definition, [part.reshape(-1, *part.shape[2:]) for part in parts])

    def row_numbers(self) -> np.ndarray:
        """Return where the rows of each batch are among `rows()`: int32 `(capacity, rows of a batch)`."""
        capacity, rows = self.arrays[0].shape[:2]
        return np.arange(capacity * rows, dtype=np.int32).reshape(capacity, rows)


def pack_capacity(batch: Any, most: int | None = None) -> int:
    """Return how many batches like this one are worth packing: 1 for large ones, whose copies would cost more.

    Args:
        batch: a tree of arrays.
        most: no more than this.
    """
    size = sum(leaf.nbytes for leaf in tree.flatten(batch))
    return max(1, min(PACK_BATCHES, PACK_BYTES // max(1, size), most or PACK_BATCHES))


class Packing:
    """How batches are packed: those that are like a first one, into packs that are used again and again.

    Args:
        batch: the first one, a tree of arrays.
        capacity: how many batches go into a pack.

    Attributes:
        capacity: the same.
        single: a pack for the reader's own use.
        free: packs that nobody uses.
    """

    _PACKS = 3  # one that is read, one that waits, one that is filled

    def __init__(self, batch: Any, capacity: int) -> None:
        leaves, self._definition = tree.flatten_with_def(batch)
        self._kinds = [(leaf.shape, leaf.dtype) for leaf in leaves]
        self.capacity = capacity
        self.single = self._pack()
        self._packs = [self._pack() for _ in range(self._PACKS)]
        self.free: list[Pack] = []
        self.reset()

    def reset(self) -> None:
        """Take all packs back, before a new epoch."""
        for pack in self._packs:
            pack.count = 0
        self.free[:] = self._packs

    def _pack(self) -> Pack:
        arrays = [aligned_zeros((self.capacity, *shape), dtype) for shape, dtype in self._kinds]
        return Pack(arrays, self._definition)

    def fits(self, batch: Any) -> bool:
        """Return whether a batch is of the same structure, shapes and dtypes."""
        leaves, definition = tree.flatten_with_def(batch)
        return definition == self._definition and [(leaf.shape, leaf.dtype) for leaf in leaves] == self._kinds

    def alone(self, batch: Any) -> Pack:
        """Return the reader's pack with one batch in it."""
        self.single.write(0, batch)
        self.single.count = 1
        return self.single
