"""What stays in memory: objects that should have died, and the size of the process."""

from __future__ import annotations

import ctypes
import gc
import weakref
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

PAGE = 4096  # bytes; the unit of /proc/self/statm


def survivors(make: Callable[[], Iterable[Any]]) -> list[str]:
    """Return the types of those objects among what `make` returns that are still there when all is collected."""
    references = [(type(thing).__name__, weakref.ref(thing)) for thing in make()]
    gc.collect()
    return sorted(name for name, reference in references if reference() is not None)


def more_objects(work: Callable[[], Any], times: int, warm_up: int = 5) -> Counter[str]:
    """Return of which types there are more objects, a few left out, each time that `work` runs `times` more times.

    What grows once, as a framework's cache does until it is full, is no leak: it must grow in both of two runs.
    """

    def count(repetitions: int) -> Counter[str]:
        for _ in range(repetitions):
            work()
        gc.collect()
        return Counter(type(thing).__name__ for thing in gc.get_objects())

    counts = [count(warm_up), count(times), count(times)]
    growths = [after - before for before, after in pairwise(counts)]
    return Counter({name: n for name, n in (growths[0] & growths[1]).items() if n >= times // 2})


def resident_set() -> int:
    """Return the bytes of this process that are in memory, on Linux."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def grown_megabytes(work: Callable[[], Any], times: int, warm_up: int = 5) -> float:
    """Return by how much the resident set grows while `work` runs `times` times, after some first ones.

    Twice the smaller growth of the two halves: what a framework, or garbage that waits for its collection, takes once
    and keeps for later is no leak. What glibc's allocator keeps of freed memory is given back before: it does not
    count.
    """
    libc = ctypes.CDLL(None)

    def resident(repetitions: int) -> int:
        for _ in range(repetitions):
            work()
        gc.collect()
        if hasattr(libc, "malloc_trim"):
            libc.malloc_trim(0)
        return resident_set()

    sizes = [resident(warm_up), resident(times // 2), resident(times // 2)]
    return 2 * min(after - before for before, after in pairwise(sizes)) / 2**20
