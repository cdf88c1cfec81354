"""How the reader of a stream and the thread that fetches ahead share their time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from polykeras.training.data import pace as module
from polykeras.training.data.pace import Pace
from polykeras.training.data.packs import Pack, Packing
from polykeras.training.data.prefetch import Prefetch


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def turn(pace: Pace, clock: Clock, wait: float, fetched: int, work: float) -> None:
    """Let the reader wait for batches, and work on them."""
    pace.reader_comes()
    clock.now += wait
    pace.reader_leaves(fetched, fetched)
    clock.now += work


def test_the_thread_rests_beside_steps_that_it_disturbs_while_its_source_is_quick(clock: Clock) -> None:
    pace = Pace(alternating=True)
    assert pace.rests  # to find out what each of them takes alone
    for _ in range(3):
        turn(pace, clock, wait=0.001, fetched=10, work=0.010)
        assert pace.rests
    for _ in range(2):  # the first of which tells
        turn(pace, clock, wait=0.004, fetched=10, work=0.010)
    assert not pace.rests
    turn(pace, clock, wait=0.0, fetched=10, work=0.010)
    assert not pace.rests, "what comes while both work says nothing of a source alone"


def test_the_thread_never_rests_beside_other_steps(clock: Clock) -> None:
    pace = Pace(alternating=False)
    for _ in range(3):
        turn(pace, clock, wait=0.0001, fetched=10, work=0.010)
        assert not pace.rests


def test_enough_is_work_for_some_milliseconds(clock: Clock) -> None:
    pace = Pace(alternating=False)
    assert not pace.is_enough(1000)  # nothing is known
    turn(pace, clock, wait=0.0, fetched=10, work=0.010)
    pace.reader_comes()
    assert not pace.is_enough(2)
    assert pace.is_enough(3)


def numbered() -> Iterator[Any]:
    for i in range(10_000):
        yield (np.full((2, 3), i, "float32"), None, None)


@pytest.mark.parametrize("alternating", [True, False])
def test_what_is_fetched_while_the_reader_works(alternating: bool) -> None:
    fetched = 0

    def counted() -> Iterator[Any]:
        nonlocal fetched
        for fetched, item in enumerate(numbered(), 1):  # noqa: B007
            yield item

    packing = Packing(next(numbered()), 8, alternating=alternating)
    reader = Prefetch(counted(), packing=packing)
    try:
        seen: list[float] = []
        for _ in range(4):
            pack = next(reader)
            assert isinstance(pack, Pack)
            before = fetched
            time.sleep(0.05)  # work: long beside what the source takes
            assert fetched - before <= 1 if alternating else fetched - len(seen) - pack.count > 1  # 1: was on its way
            seen += pack.arrays[0][: pack.count, 0, 0].tolist()
            pack.release()
    finally:
        reader.close()
    assert seen == list(range(len(seen)))
    assert not [t for t in threading.enumerate() if t.name == "polykeras-prefetch" and t.is_alive()]


def test_a_resting_thread_ends_with_its_reader() -> None:
    reader = Prefetch(numbered(), packing=Packing(next(numbered()), 8, alternating=True))
    next(reader)
    assert reader.close()
