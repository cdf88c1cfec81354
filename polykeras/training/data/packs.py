"""Small batches of a stream, one after the other in the same arrays, so that many steps can run on them in one go."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np

from polykeras.backend.host_memory import ALIGNMENT, aligned, aligned_empty
from polykeras.common import nested
from polykeras.training.data.checks import has_nan
from polykeras.training.data.familiar import Familiar
from polykeras.training.data.pace import Pace
from polykeras.training.data.unpack import unpack_x_y_sample_weight

PACK_BYTES = 8 * 2**20
PACK_BATCHES = 128
LOOK_BYTES = 2**19  # bytes of batches that are looked at together, while they are in the cache
_EVEN = 16  # of larger packs the capacity is so many times a number: what goes several steps at a time comes out even
MOST_BYTES = 64 * 2**20  # in a pack, where the user says how many batches run together

_MEMORY_BYTES = PACK_BYTES + 64 * ALIGNMENT  # arrays are aligned, of up to 64 leaves
# Memory of packs for the next data to be packed, at most one packing's. New memory is given to a process page by page
# when it is first written to, which takes several times as long as the writing itself.
_kept: list[np.ndarray] = []


class Pack:
    """Room for several batches, of which the first `count` are there.

    Args:
        watched: how many of the arrays, from the first one, are of `x` and `y`, in which a nan matters.

    Attributes:
        arrays: one for each leaf of a batch, `(capacity, *shape of the leaf)`.
        definition: the structure of a batch.
        memory: in which the arrays are, in bytes.
        numbers: where the rows of each batch are among `rows()`: int32 `(capacity, rows of a batch)`, read-only, and
            one array for all packs of a kind: what backends make of it they may keep.
        count: how many batches there are.
        has_nan: whether there is a nan in what was looked at.
        is_checked: whether all batches are known to be as they should.
        borrowed: by a backend's name, its arrays that are this room, by the place of the leaf.
        ready: by a backend's name, the rows as its compiled steps take them, where all leaves are borrowed so.
        release: lets the room be filled again; whoever got the pack calls it when nothing reads the arrays any more.
    """

    def __init__(self, arrays: list[np.ndarray], definition: Any, memory: np.ndarray, watched: int) -> None:
        self.arrays = arrays
        self.definition = definition
        self.memory = memory
        self._watched = arrays[:watched]
        capacity, rows = arrays[0].shape[:2]
        self.numbers = _numbers(capacity, rows)
        self.count = self._looked = 0
        self.has_nan = self.is_checked = False
        self.borrowed: dict[str, dict[int, Any]] = {}
        self.ready: dict[str, Any] = {}
        self.release: Callable[[], None] = lambda: None

    def write(self, place: int, leaves: Sequence[np.ndarray]) -> None:
        """Copy (the leaves of) a batch to a place; it counts when `count` says so."""
        for room, leaf in zip(self.arrays, leaves, strict=True):
            room[place] = leaf

    def look_for_nan(self) -> None:
        """Look for nan in the batches that came since the last look; for one at a time that takes twice as long."""
        if self.count > self._looked:
            self.has_nan = self.has_nan or has_nan([room[self._looked : self.count] for room in self._watched])
            self._looked = self.count

    def try_check(self, check: Callable[[Any], bool]) -> None:
        """Note whether all batches, their rows together, are as they should: without nan, and right for `check`."""
        self.look_for_nan()
        with suppress(Exception):  # whoever gets the pack says which batch it is
            self.is_checked = check(self.rows(self.count)) and not self.has_nan

    def clear(self) -> None:
        """Hold nothing any more."""
        self.count = self._looked = 0
        self.has_nan = self.is_checked = False

    def batch(self, place: int) -> Any:
        """Return a batch, as views."""
        return nested.unflatten(self.definition, [room[place] for room in self.arrays])

    def rows(self, count: int | None = None) -> Any:
        """Return the rows of the first `count` batches as those of one batch, as views; by default of all the room."""
        parts = [room[:count] for room in self.arrays]
        joined = [part.reshape(part.shape[0] * part.shape[1], *part.shape[2:]) for part in parts]
        return nested.unflatten(self.definition, joined)


def pack_capacity(batch: Any, most: int | None = None, together: int | None = None) -> int:
    """Return how many batches like this one are worth packing: 1 for large ones, whose copies would cost more.

    Args:
        batch: a tree of arrays.
        most: no more than this.
        together: how many the user wants to run together: so many, if they are not huge.
    """
    leaves = nested.flatten(batch)
    if len({len(leaf) for leaf in leaves}) > 1:
        return 1  # inputs of different lengths: their rows have no common numbers
    size = max(1, sum(leaf.nbytes for leaf in leaves))
    if together is not None:
        return together if together * size <= MOST_BYTES else 1
    capacity = max(1, min(PACK_BATCHES, PACK_BYTES // size, most or PACK_BATCHES))
    return capacity if capacity < _EVEN else capacity - capacity % _EVEN


class Packing:
    """How batches are packed: those that are like a first one, into packs that are used again and again.

    Args:
        batch: the first one.
        capacity: how many batches go into a pack.
        whole: whether a pack that is not full is not to be read, unless nothing more comes for it.
        check: called with the rows of each full pack where that is filled; see `StreamSource`.

    Attributes:
        capacity: as given.
        check: as given.
        batches_a_look: how many batches are looked at together.
        whole: as given.
        pace: of the reader and the thread, which goes on from epoch to epoch.
        free: packs that nobody uses.
    """

    _PACKS = 3  # one that is read, one that waits, one that is filled

    def __init__(
        self,
        batch: Any,
        capacity: int,
        whole: bool = False,
        check: Callable[[Any], bool] = lambda rows: True,
    ) -> None:
        leaves, self._definition = nested.flatten_with_def(batch)
        self._kinds = [(leaf.shape, leaf.dtype) for leaf in leaves]
        self._parts = _kinds_of_parts(batch)
        self._familiar: Familiar | None = None
        self._watched = len(nested.flatten(unpack_x_y_sample_weight(batch)[:2]))
        self.capacity = capacity
        self.batches_a_look = max(1, LOOK_BYTES // max(1, sum(leaf.nbytes for leaf in leaves)))
        self.whole = whole
        self.check = check
        self.pace = Pace()
        self._packs = [self._pack() for _ in range(self._PACKS)]
        self.free: list[Pack] = []
        self.reset()

    def reset(self) -> None:
        """Take all packs back, before a new epoch."""
        self.pace.begin()
        for pack in self._packs:
            pack.clear()
        self.free[:] = self._packs

    def take(self) -> Pack:
        """Return a free pack; a new one where all hold batches that came before there was packing."""
        if not self.free:
            self._packs.append(self._pack())
            self.free.append(self._packs[-1])
        return self.free.pop()

    def give_back(self, pack: Pack) -> None:
        """Take a pack back that nobody reads any more."""
        if not any(free is pack for free in self.free):
            pack.clear()
            self.free.append(pack)

    def add(self, pack: Pack) -> bool:
        """Count a batch that was written, and look at values where enough came; return whether the pack is full."""
        pack.count += 1
        if pack.count % self.batches_a_look == 0:
            pack.look_for_nan()
        return pack.count == self.capacity

    def _pack(self) -> Pack:
        sizes = [self.capacity * math.prod(shape) * dtype.itemsize for shape, dtype in self._kinds]
        starts = [0, *accumulate(aligned(size) for size in sizes)]
        memory = _memory(starts[-1])
        arrays = [
            memory[start : start + size].view(dtype).reshape(self.capacity, *shape)
            for start, size, (shape, dtype) in zip(starts, sizes, self._kinds, strict=False)
        ]
        return Pack(arrays, self._definition, memory, self._watched)

    def close(self) -> None:
        """Give the memory of free packs to the next packing, once nobody fills them; others may still be read."""
        _kept.extend(pack.memory for pack in self.free if len(pack.memory) == _MEMORY_BYTES)
        del _kept[self._PACKS :]
        for pack in self._packs:
            pack.ready.clear()
            pack.borrowed.clear()  # whose `release` leads back to here: they would live until a search for cycles
        self.free.clear()
        self._packs.clear()

    def familiar_leaves(self, fetched: Any) -> list[np.ndarray] | None:
        """Return the leaves of the batch that is made of what was fetched, if that is known to be like the first one.

        This takes half of the time in which it would be prepared, and then compared.
        """
        return None if self._familiar is None else self._familiar.arrays(fetched)

    def note(self, fetched: Any, batch: Any) -> None:
        """Note what a batch that fits was made of: more of the kind are known by it."""
        if self._familiar is None:
            self._familiar = Familiar.of(fetched, batch)

    def leaves(self, batch: Any) -> list[np.ndarray] | None:
        """Return the leaves of a batch of the same structure, shapes and dtypes; None for another one."""
        if self._parts is not None and _kinds_of_parts(batch) == self._parts:
            return [batch] if type(batch) is np.ndarray else [part for part in batch if part is not None]
        leaves, definition = nested.flatten_with_def(batch)
        fits = definition == self._definition and [(leaf.shape, leaf.dtype) for leaf in leaves] == self._kinds
        return leaves if fits else None


def _memory(size: int) -> np.ndarray:
    """Return at least so many bytes; more, where the memory is to be kept, as any of that does for any pack."""
    if size <= _MEMORY_BYTES:
        with suppress(IndexError):  # another thread may have taken the last one
            return _kept.pop()
    return aligned_empty((max(size, _MEMORY_BYTES),), np.uint8)


@lru_cache(maxsize=4)  # they may take as much memory as a pack
def _numbers(capacity: int, rows: int) -> np.ndarray:
    numbers = np.arange(capacity * rows, dtype=np.int32).reshape(capacity, rows)
    numbers.flags.writeable = False
    return numbers


def _kinds_of_parts(batch: Any) -> Any:
    """Return the shape and dtype of each array in a batch that is a plain one or a tuple of them; None for others.

    This takes less time than a look at it as a tree.
    """
    if type(batch) is np.ndarray:
        return batch.shape, batch.dtype
    if type(batch) is not tuple or not all(part is None or type(part) is np.ndarray for part in batch):
        return None
    return [None if part is None else (part.shape, part.dtype) for part in batch]
