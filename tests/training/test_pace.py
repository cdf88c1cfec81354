"""When the reader of a stream goes to work, and what the thread does meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from polykeras.training.data import pace as module
from polykeras.training.data.pace import Pace
from polykeras.training.data.packs import Packing
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


def turn(pace: Pace, clock: Clock, count: int, work: float) -> None:
    """Let the reader come for batches, and work on them."""
    pace.reader_comes()
    pace.reader_leaves(count)
    clock.now += work


def test_enough_is_work_for_a_millisecond(clock: Clock) -> None:
    pace = Pace()
    turn(pace, clock, count=10, work=0.005)
    pace.reader_comes()
    assert not pace.is_enough(1)
    assert pace.is_enough(2)


def test_where_no_step_is_known_a_slow_source_is_not_waited_for(clock: Clock) -> None:
    pace = Pace()
    pace.reader_comes()
    clock.now += 10.0  # until the first batch comes: a file is opened
    pace.patience_begins()
    clock.now += 0.0009
    assert not pace.is_enough(1)  # whatever it is, a wait is to be worth while
    clock.now += 0.0002
    assert pace.is_enough(5)
    assert not pace.is_enough(50)  # at this rate a pack is full before patience ends


def test_what_lies_between_epochs_is_no_work_on_batches(clock: Clock) -> None:
    pace = Pace()
    turn(pace, clock, count=10, work=0.005)
    pace.reader_comes()  # for the end of the epoch, or not at all where that was cut short
    pace.reader_leaves(10)
    clock.now += 100.0
    pace.begin()
    pace.reader_comes()
    assert not pace.is_enough(1)  # of half a millisecond
    assert pace.is_enough(2)


def numbered() -> Iterator[Any]:
    for i in range(10_000):
        yield (np.full((2, 3), i, "float32"), None, None)


class Counted:
    """Batches, and how many were fetched; somebody may wait for a number of them."""

    def __init__(self) -> None:
        self.fetched = 0
        self.changed = threading.Condition()

    def __iter__(self) -> Iterator[Any]:
        for item in numbered():
            with self.changed:
                self.fetched += 1
                self.changed.notify_all()
            yield item

    def comes_to(self, count: int, seconds: float) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: self.fetched >= count, seconds)


def test_the_thread_fetches_ahead_while_the_reader_works() -> None:
    source = Counted()
    reader = Prefetch(iter(source), packing=Packing(next(numbered()), 8))
    try:
        pack = next(reader)
        assert source.comes_to(pack.count + 8, 60.0)
    finally:
        assert reader.close()
