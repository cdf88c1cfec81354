"""A least-recently-used cache for programs, recordings and traces, which take memory.

Each compiled function has a cache of its own. A program that was dropped is compiled again when it is needed.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")

PROGRAMS = 128
"""How many programs of one function are kept, one for each set of shapes. A loop over batches needs fewer."""


class LRUCache(Generic[T]):
    """A least-recently-used cache: values by key. When it is full, the value that was used least recently is dropped.

    A hit costs little more than in a dict: a key is hashed once, and the order is computed only when something is
    dropped. Threads may share a cache without a lock; at worst, a different value is dropped.

    Args:
        most: how many values are kept.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = PROGRAMS if most is None else most
        self._entries: dict[Hashable, tuple[T, list[int]]] = {}  # the value, and when it was last used
        self._now = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> T | None:
        """Return the value of a key, or None."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._now = entry[1][0] = self._now + 1
        return entry[0]

    def put(self, key: Hashable, thing: T) -> T:
        """Store a value under a key, drop the least recently used one if the cache is full, and return the value."""
        self._now += 1
        self._entries[key] = thing, [self._now]
        while len(self._entries) > self._most:
            self._entries.pop(min(list(self._entries.items()), key=lambda item: item[1][1])[0], None)
        return thing

    def values(self) -> list[T]:
        """Return all values."""
        return [thing for thing, _ in list(self._entries.values())]
