"""How the reader of a stream and the thread that fetches ahead share their time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from itertools import islice
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


def turn(pace: Pace, clock: Clock, wait: float, fetched: int, work: float, full: bool = True) -> None:
    """Let the reader wait for batches, and work on them."""
    pace.reader_comes()
    clock.now += wait
    pace.reader_leaves(fetched, fetched, full)
    clock.now += work


def test_a_source_is_quick_that_gives_all_at_once_and_soon(clock: Clock) -> None:
    pace = Pace(alternating=True)
    for _ in range(2):
        turn(pace, clock, wait=0.0005, fetched=10, work=0.010, full=False)
        assert pace.quick is None  # it may wait for a step to be done
    turn(pace, clock, wait=0.004, fetched=10, work=0.010)
    assert pace.quick is None  # it took long, once
    turn(pace, clock, wait=0.0005, fetched=10, work=0.010)
    assert pace.quick is True


def test_the_first_turn_counts_when_the_steps_are_known(clock: Clock) -> None:
    pace = Pace(alternating=True)
    turn(pace, clock, wait=0.0005, fetched=10, work=0.010)
    assert pace.quick is None
    pace.reader_comes()
    assert pace.quick is True


@pytest.mark.parametrize("quick", [None, True])
def test_a_source_that_takes_long_time_and_again_is_not_quick(clock: Clock, quick: bool | None) -> None:
    pace = Pace(alternating=True)
    turn(pace, clock, wait=0.0, fetched=0, work=0.010)
    pace.quick = quick
    for _ in range(2):
        turn(pace, clock, wait=0.010, fetched=10, work=0.010)  # 9 ms too long
        turn(pace, clock, wait=0.0, fetched=0, work=0.010)  # what comes while both work says nothing
        assert pace.quick is quick
    turn(pace, clock, wait=0.010, fetched=10, work=0.010)
    assert pace.quick is False
    turn(pace, clock, wait=0.0, fetched=10, work=0.010)
    assert pace.quick is False


def test_single_delays_are_forgotten(clock: Clock) -> None:
    pace = Pace(alternating=True)
    for _ in range(10):
        turn(pace, clock, wait=0.012, fetched=10, work=0.040)
        for _ in range(20):
            turn(pace, clock, wait=0.0, fetched=10, work=0.040)
    assert pace.quick is True


def test_what_takes_long_by_itself_is_not_quick(clock: Clock) -> None:
    pace = Pace(alternating=True)
    for _ in range(2):  # 20 ms beside steps of 100: to fetch them meanwhile saves more than it disturbs
        turn(pace, clock, wait=0.1, fetched=5, work=0.5)
    assert pace.quick is False


def test_who_fetches_in_turn_does_not_do_so_for_ever(clock: Clock) -> None:
    pace = Pace(alternating=True)
    pace.quick = True
    pace.reader_comes()
    clock.now += 0.019
    assert not pace.is_late()
    clock.now += 0.002
    assert pace.is_late()
    assert pace.quick is False


def test_beside_other_steps_no_source_is_quick(clock: Clock) -> None:
    pace = Pace(alternating=False)
    for _ in range(3):
        turn(pace, clock, wait=0.0001, fetched=10, work=0.010)
        assert pace.quick is False


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


def fetchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "polykeras-prefetch"]


@pytest.fixture
def all_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any source is quick, also on a busy machine."""
    for name in ("_PRICE", "_SLACK"):
        monkeypatch.setattr(module, name, 60.0)
    monkeypatch.setattr(module, "_QUICK", 1e6)


def packing(alternating: bool) -> Packing:
    return Packing(next(numbered()), 8, alternating=alternating)


def read(reader: Prefetch, seen: int) -> int:
    """Read a pack whose first batch has a number; return that of the one after it."""
    pack = next(reader)
    assert isinstance(pack, Pack)
    numbers = pack.arrays[0][: pack.count, 0, 0].tolist()
    pack.release()
    assert numbers == list(range(seen, seen + len(numbers)))
    return seen + len(numbers)


@pytest.fixture
def quick() -> Packing:
    """How a source is packed that was found to be quick in an epoch before."""
    used = packing(alternating=True)
    used.pace.quick = True
    return used


def test_a_thread_that_rests_fetches_nothing_while_the_reader_works() -> None:
    source, seen = Counted(), 0
    reader = Prefetch(iter(source), packing=packing(alternating=True))
    reader._shelf._pace.reader_leaves = lambda *args, **kwargs: None  # type: ignore[method-assign]  # never known
    try:
        for _ in range(3):
            seen = read(reader, seen)
            before = source.fetched
            assert not source.comes_to(before + 2, 0.05)  # work, long beside the source; one was on its way
    finally:
        assert reader.close()


@pytest.mark.usefixtures("all_quick")
def test_a_thread_finds_out_that_its_source_is_quick() -> None:
    """It goes on to the end of the epoch; the next one has none."""
    used = packing(alternating=True)
    reader, seen = Prefetch(numbered(), packing=used), 0
    while used.pace.quick is None:
        seen = read(reader, seen)
        time.sleep(0.001)
    assert len(fetchers()) == 1
    assert reader.close()
    used.reset()
    source = Counted()
    reader, seen = Prefetch(iter(source), packing=used), 0
    assert fetchers() == []
    for _ in range(3):
        assert source.fetched == seen, "whole packs, and no more"
        seen = read(reader, seen)
        assert seen % 8 == 0
    assert reader.close()


def test_a_quick_source_that_turns_slow_holds_nothing_up(quick: Packing, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there is given; the next epoch has a thread again."""
    monkeypatch.setattr(module, "_SLACK", 0.0)
    reader = Prefetch(numbered(), packing=quick)
    assert read(reader, 0) == 1
    assert quick.pace.quick is False
    assert read(reader, 1) == 2
    assert reader.close()
    assert Prefetch(numbered(), packing=quick)._thread is not None


def test_packs_that_are_to_be_whole_are_so(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Packing(next(numbered()), 8, whole=True, alternating=True)
    whole.pace.quick = True
    monkeypatch.setattr(module, "_SLACK", 0.0)
    assert read(Prefetch(numbered(), packing=whole), 0) == 8


@pytest.mark.usefixtures("all_quick")
@pytest.mark.parametrize("count", [100, 104], ids=["in a pack", "at its end"])
def test_what_ends_a_source_comes_in_its_place(quick: Packing, count: int) -> None:
    def failing() -> Iterator[Any]:
        yield from islice(numbered(), count)
        raise OSError("the disk is gone")

    for items, error in ((islice(numbered(), count), StopIteration), (failing(), OSError)):
        quick.reset()
        reader, seen = Prefetch(items, packing=quick), 0
        while seen < count:
            seen = read(reader, seen)
        with pytest.raises(error):
            next(reader)
        with pytest.raises(StopIteration):
            next(reader)


@pytest.mark.usefixtures("all_quick")
def test_an_interrupt_in_a_source_that_is_read_in_turn_is_raised_at_once(quick: Packing) -> None:
    def interrupted() -> Iterator[Any]:
        yield from islice(numbered(), 101)
        raise KeyboardInterrupt

    reader, seen = Prefetch(interrupted(), packing=quick), 0
    with pytest.raises(KeyboardInterrupt):
        while True:
            seen = read(reader, seen)
    assert seen == 96


@pytest.mark.usefixtures("all_quick")
@pytest.mark.parametrize("depth", [1, 2])
def test_what_fits_no_pack_comes_in_its_place_in_turn_too(quick: Packing, depth: int) -> None:
    other = (np.zeros((1, 3), "float32"), None, None)

    def mixed() -> Iterator[Any]:
        yield from islice(numbered(), 100)
        yield other
        yield from islice(numbered(), 100, 200)

    reader, seen = Prefetch(mixed(), depth, packing=quick), 0
    while seen < 100:
        seen = read(reader, seen)
    assert next(reader) is other
    while seen < 200:
        seen = read(reader, seen)
    with pytest.raises(StopIteration):
        next(reader)


@pytest.mark.usefixtures("all_quick")
def test_what_a_source_sets_stays_its_own(quick: Packing) -> None:
    """A generator's context is its caller's: another backend in it would be that of the steps."""
    variable: ContextVar[int] = ContextVar("variable", default=0)

    def setting() -> Iterator[Any]:
        for i, item in enumerate(numbered()):
            assert variable.get() == i
            variable.set(i + 1)
            yield item

    reader = Prefetch(setting(), packing=quick)
    read(reader, read(reader, 0))
    assert variable.get() == 0
    assert reader.close()


def test_another_thread_fetches_ahead_while_the_reader_works() -> None:
    source = Counted()
    reader = Prefetch(iter(source), packing=packing(alternating=False))
    try:
        pack = next(reader)
        assert source.comes_to(pack.count + 8, 60.0)
    finally:
        assert reader.close()


def test_a_resting_thread_ends_with_its_reader() -> None:
    reader = Prefetch(numbered(), packing=packing(alternating=True))
    next(reader)
    assert reader.close()
