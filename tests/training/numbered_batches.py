"""Batches that say which they are, and what comes of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from polykeras.training.data.packs import Pack
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


def values(source: StreamSource, most: int | None = None, together: int | None = None) -> tuple[list[int], list[int]]:
    """Return which batches came, and how many at a time, in an epoch or until there were `most`."""
    found: list[int] = []
    sizes: list[int] = []
    for item in source.packs(together):
        if isinstance(item, Pack):
            found += [int(item.batch(i)[0][0, 0]) for i in range(item.count)]
            sizes.append(item.count)
            if most is not None and len(found) >= most:
                break  # with the pack in hand
            item.release()
        else:
            found.append(int(item[0][0, 0]))
            sizes.append(1)
    return found, sizes
