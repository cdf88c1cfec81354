"""Batches of a stream on the host, and a buffer for small batches, so that many steps can run in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from polykeras.backend import Backend
from polykeras.backend.host_memory import aligned_empty
from polykeras.common import nested
from polykeras.training.data.checks import NAMES, check_host_arrays, host_tree, weights_from_classes
from polykeras.training.data.unpack import unpack_x_y_sample_weight

BYTES, BATCHES = 16 * 2**20, 256  # the largest size of a buffer
MOST_BYTES = 128 * 2**20  # the same, if the user says how many batches run at once

Signature: TypeAlias = tuple[Any, list[tuple[tuple[int, ...], np.dtype[Any]]]]
"""The structure of a batch, and the shape and dtype of each of its arrays."""


class Batch(NamedTuple):
    """A batch as a tree of NumPy arrays, as a step takes it; the arrays in a list; and the signature."""

    data: Any
    leaves: list[np.ndarray]
    signature: Signature


def prepared(item: Any, class_weight: dict[int, float] | None = None, known: Signature | None = None) -> Batch:
    """Return a batch of NumPy arrays in their training dtypes, without a copy if possible.

    Args:
        item: `x`, or a tuple or list `(x,)`, `(x, y)` or `(x, y, sample_weight)`. Values are not checked.
        class_weight: weights by class, turned into sample weights.
        known: the signature of a batch that was checked. The lengths of a batch like it are not compared again.

    Raises:
        ValueError: the parts differ in length, or there are both class weights and sample weights.
    """
    parts = unpack_x_y_sample_weight(item)
    host = [None if part is None else host_tree(part, name) for part, name in zip(parts, NAMES, strict=True)]
    data: Any = tuple(host[: len(item)]) if isinstance(item, (tuple, list)) else host[0]
    if class_weight is not None:
        if host[2] is not None:
            raise ValueError("Pass class_weight or sample_weight, not both: the batches carry sample weights.")
        data = host[0], host[1], weights_from_classes(host[1], class_weight)
    leaves, definition = nested.flatten_with_def(data)
    signature = definition, [(leaf.shape, leaf.dtype) for leaf in leaves]
    if signature != known:
        check_host_arrays(dict(zip(NAMES, host, strict=True)), ragged=True)
    return Batch(data, leaves, signature)


class Buffer:
    """Memory for batches of one signature, filled again and again. Backends on the CPU use it in place.

    Args:
        signature: of each batch.
        capacity: the number of batches that it holds.

    Attributes:
        signature: see above.
        capacity: see above.
        indices: the rows of each batch among all rows, int32 `(capacity, batch)`. They are read-only, so that backends
            may keep their own form of them.
    """

    def __init__(self, signature: Signature, capacity: int) -> None:
        self.signature, self.capacity = signature, capacity
        self._definition, kinds = signature
        self._arrays = [aligned_empty((capacity, *shape), dtype) for shape, dtype in kinds]
        self.indices = np.arange(capacity * kinds[0][0][0], dtype=np.int32).reshape(capacity, -1)
        self.indices.flags.writeable = False
        self._borrowed: tuple[Backend, Any] | None = None

    @classmethod
    def like(cls, batch: Batch, most: int | None = None, at_once: int = 1) -> Buffer | None:
        """Return a buffer for batches like a first one; None if they are so large that copies cost more.

        Args:
            batch: the first batch.
            most: the largest number of batches to hold.
            at_once: how many batches are to run at once. There is room to read others meanwhile.
        """
        size = max(1, sum(leaf.nbytes for leaf in batch.leaves))
        capacity = min(BATCHES, BYTES // size, most or BATCHES)
        if at_once > 1:
            capacity = at_once * max(2, capacity // at_once)
        if capacity < 2 or capacity * size > MOST_BYTES or len({len(leaf) for leaf in batch.leaves}) > 1:
            return None  # inputs of different lengths have no common row numbers
        return cls(batch.signature, capacity)

    def write(self, place: int, leaves: Sequence[np.ndarray]) -> None:
        """Copy the arrays of a batch to a place."""
        for array, leaf in zip(self._arrays, leaves, strict=True):
            array[place] = leaf

    def rows(self, start: int, stop: int) -> Any:
        """Return the batches from `start` to before `stop` as one, as views."""
        parts = [array[start:stop] for array in self._arrays]
        joined = [part.reshape(part.shape[0] * part.shape[1], *part.shape[2:]) for part in parts]
        return nested.unflatten(self._definition, joined)

    def on_device(self, backend: Backend) -> Any:
        """Return all rows for compiled steps, also those not written yet, so that shapes and programs stay the same.

        Memory that is used in place is borrowed once: borrowing takes as long as several steps of a small model.
        """
        if self._borrowed is not None and self._borrowed[0] is backend:
            return self._borrowed[1]
        host = self.rows(0, self.capacity)
        rows = nested.map_structure(backend.borrow, host)
        if all(map(backend.borrows_in_place, nested.flatten(host))):
            self._borrowed = backend, rows
        return rows


class BufferSlice(NamedTuple):
    """The batches of a buffer from the place `start` to before `stop`."""

    buffer: Buffer
    start: int
    stop: int
