"""Batches that say which they are, and what comes of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from polykeras.training.data.batches import BufferSlice
from polykeras.training.data.streams import StreamSource


def numbered(count: int, rows: int = 3) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return batches that say which they are."""
    return [(np.full((rows, 2), i, "float32"), np.full((rows, 1), -i, "float32")) for i in range(count)]


class Repeated:
    """Batches that can be gone through again, without a length."""

    def __init__(self, batches: list[Any]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)


def batches_in(item: Any) -> list[Any]:
    """Return the batches of a slice of a buffer, or what is one batch in a list."""
    if not isinstance(item, BufferSlice):
        return [item]
    return [item.buffer.rows(place, place + 1) for place in range(item.start, item.stop)]


def values(source: StreamSource, most: int | None = None, at_once: int = 1) -> tuple[list[int], list[int]]:
    """Return which batches came, and how many at a time, in an epoch or until there were `most`."""
    found: list[int] = []
    sizes: list[int] = []
    epoch = source.read_epoch(at_once)
    for item in epoch:
        batches = batches_in(item)
        for x, y in batches:
            assert (x == x[0, 0]).all()
            assert (y == -x[0, 0]).all()
            found.append(int(x[0, 0]))
        sizes.append(len(batches))
        if most is not None and len(found) >= most:
            break  # with the slice in hand
    epoch.close()
    return found, sizes
