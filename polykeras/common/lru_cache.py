"""A least-recently-used cache, for programs, recordings and traces, which take memory.

There is one for each function that is compiled. What it does not keep is compiled again when it is needed.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")

PROGRAMS = 128
"""How many programs of one function are kept, one for each set of shapes: more than a loop over batches has."""


class LRUCache(Generic[T]):
    """A least-recently-used cache: things by key, of which those that were used last are kept.

    A hit costs little more than that of a dict: a key is hashed once, and the order is looked at only where something
    has to go. Threads may use one without a lock: the worst that comes of it is that another thing goes.

    Args:
        most: how many are kept.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = PROGRAMS if most is None else most
        self._entries: dict[Hashable, tuple[T, list[int]]] = {}  # and when it was used
        self._now = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> T | None:
        """Return what was kept under a key, and None where there is nothing."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._now = entry[1][0] = self._now + 1
        return entry[0]

    def put(self, key: Hashable, thing: T) -> T:
        """Keep a thing under a key, in place of what was used least lately where there is no room; return it."""
        self._now += 1
        self._entries[key] = thing, [self._now]
        while len(self._entries) > self._most:
            self._entries.pop(min(list(self._entries.items()), key=lambda item: item[1][1])[0], None)
        return thing

    def values(self) -> list[T]:
        """Return what is kept."""
        return [thing for thing, _ in list(self._entries.values())]
