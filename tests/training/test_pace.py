"""How the reader of a stream and the thread that fetches ahead share their time."""

from __future__ import annotations

import threading
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
    pace = Pace(in_python=True)
    assert pace.rests  # to find out what each of them takes alone
    for _ in range(3):
        turn(pace, clock, wait=0.0005, fetched=10, work=0.010)
        assert pace.rests
    for _ in range(2):
        turn(pace, clock, wait=0.003, fetched=10, work=0.010)
    assert not pace.rests
    turn(pace, clock, wait=0.0, fetched=10, work=0.010)
    assert not pace.rests, "what comes while both work says nothing of a source alone"


def test_one_short_wait_is_no_proof(clock: Clock) -> None:
    pace = Pace(in_python=True)
    turn(pace, clock, wait=0.0, fetched=10, work=0.010)
    for _ in range(3):
        turn(pace, clock, wait=0.003, fetched=10, work=0.010)
        assert pace.rests
        turn(pace, clock, wait=0.0005, fetched=10, work=0.010)
        assert pace.rests


def test_a_short_wait_says_nothing(clock: Clock) -> None:
    pace = Pace(in_python=True)
    for _ in range(5):
        turn(pace, clock, wait=0.0001, fetched=1, work=0.0001)  # as long as a step, but for the handing over
        assert pace.rests


def test_one_long_wait_is_proof_enough(clock: Clock) -> None:
    pace = Pace(in_python=True)
    turn(pace, clock, wait=0.0, fetched=10, work=0.010)
    turn(pace, clock, wait=0.0041, fetched=10, work=0.010)
    assert not pace.rests


def test_what_lies_between_epochs_is_no_work_on_batches(clock: Clock) -> None:
    pace = Pace(in_python=False)
    turn(pace, clock, wait=0.0, fetched=10, work=0.005)
    pace.reader_comes()  # for the end of the epoch, or not at all where that was cut short
    pace.reader_leaves(0, 10)
    clock.now += 100.0
    pace.begin()
    pace.reader_comes()
    assert not pace.is_enough(1)  # of half a millisecond
    assert pace.is_enough(2)


def test_the_thread_does_not_rest_for_what_takes_long_by_itself(clock: Clock) -> None:
    pace = Pace(in_python=True)
    for _ in range(3):  # 20 ms beside steps of 100: to fetch them meanwhile saves more than it disturbs
        turn(pace, clock, wait=0.1, fetched=5, work=0.5)
    assert not pace.rests


def test_the_thread_never_rests_beside_other_steps(clock: Clock) -> None:
    pace = Pace(in_python=False)
    for _ in range(3):
        turn(pace, clock, wait=0.0001, fetched=10, work=0.010)
        assert not pace.rests


@pytest.mark.parametrize(("in_python", "milliseconds"), [(True, 3), (False, 1)])
def test_enough_is_work_for_some_milliseconds(clock: Clock, in_python: bool, milliseconds: int) -> None:
    pace = Pace(in_python)
    assert not pace.is_enough(1000)  # nothing is known
    turn(pace, clock, wait=0.0, fetched=10, work=0.005)
    pace.reader_comes()
    assert not pace.is_enough(2 * milliseconds - 1)
    assert pace.is_enough(2 * milliseconds)


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


def test_a_thread_that_rests_fetches_nothing_while_the_reader_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PRICE", 60.0)  # any source is quick, also on a busy machine
    monkeypatch.setattr(module, "_QUICK", 1e6)
    source, seen = Counted(), 0
    reader = Prefetch(iter(source), packing=Packing(next(numbered()), 8, in_python=True))
    try:
        for _ in range(3):
            pack = next(reader)
            assert isinstance(pack, Pack)
            before = source.fetched
            assert not source.comes_to(before + 2, 0.05)  # work, long beside the source; one was on its way
            numbers = pack.arrays[0][: pack.count, 0, 0].tolist()
            assert numbers == list(range(seen, seen + pack.count))
            seen += pack.count
            pack.release()
    finally:
        assert reader.close()


def test_another_thread_fetches_ahead_while_the_reader_works() -> None:
    source = Counted()
    reader = Prefetch(iter(source), packing=Packing(next(numbered()), 8))
    try:
        pack = next(reader)
        assert source.comes_to(pack.count + 8, 60.0)
    finally:
        assert reader.close()


def test_a_resting_thread_ends_with_its_reader() -> None:
    reader = Prefetch(numbered(), packing=Packing(next(numbered()), 8, in_python=True))
    next(reader)
    assert reader.close()
