"""The memory of packs serves the next data, unless somebody may still read or write it."""

from __future__ import annotations

import numpy as np
import pytest

from polykeras.training.data.packs import Packing
from polykeras.training.data.prefetch import Prefetch
from polykeras.training.data.sources import make_source
from training.numbered_batches import Repeated, numbered, values

pytestmark = pytest.mark.cpu_only("memory that a framework on the CPU uses in place")


def test_memory_of_packs_serves_the_next_data() -> None:
    """But not what somebody still reads: a chunk that was interrupted may run on while others fill packs."""
    first = Packing(numbered(1)[0], 4)
    read, *others = [first.free.pop() for _ in range(len(first.free))]
    first.free.extend(others)
    first.close()
    second = Packing(numbered(1, rows=5)[0], 3)
    shared = [[np.shares_memory(pack.memory, new.memory) for new in second.free] for pack in (read, *others)]
    assert [sum(row) for row in shared] == [0] + [1] * len(others)


def test_a_closed_source_gives_its_memory_on() -> None:
    source = make_source(iter(numbered(300)))
    assert values(source)[0] == list(range(300))
    memory = [pack.memory for pack in source._packing.free]  # type: ignore[union-attr]
    source.close()
    following = Packing(numbered(1)[0], 4).free
    assert all(any(np.shares_memory(pack.memory, old) for old in memory) for pack in following)


@pytest.mark.parametrize("ended", [False, True], ids=["in an epoch", "after it"])
def test_a_thread_that_goes_on_keeps_its_memory(ended: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    close = Prefetch.close
    monkeypatch.setattr(Prefetch, "close", lambda self: close(self) and False)  # as where the iterator holds it up
    source = make_source(Repeated(numbered(30)))  # most packs stay free
    epoch = source.packs()
    next(epoch)
    memory = [pack.memory for pack in source._packing._packs]  # type: ignore[union-attr]
    if ended:
        epoch.close()
    source.close()
    following = Packing(numbered(1)[0], 4).free
    assert not any(np.shares_memory(pack.memory, old) for pack in following for old in memory)


def test_large_packs_have_memory_of_their_own() -> None:
    large = Packing((np.zeros(2**20, "float32"), None), 3)
    memory = [pack.memory for pack in large.free]
    large.close()
    following = Packing(numbered(1)[0], 4).free
    assert not any(np.shares_memory(pack.memory, old) for pack in following for old in memory)
