"""Quick sources beside steps that are Python: the reader fetches for itself, and what comes is the same."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from itertools import count
from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import Sequential, layers
from polykeras.backend import Backend
from polykeras.training.data import direct, pace, packs
from polykeras.training.data.direct import Direct
from polykeras.training.data.packs import Pack, Packing
from polykeras.training.data.prefetch import Prefetch
from polykeras.training.data.preparation import Preparation, checked_copy
from polykeras.training.data.sources import make_source
from training.numbered_batches import Repeated, numbered, values

setting: ContextVar[int] = ContextVar("setting", default=0)


def reading(items: Any, capacity: int = 8, whole: bool = False) -> Direct:
    return Direct(iter(items), Preparation(None), checked_copy, Packing((*numbered(1)[0], None), capacity, whole))


def read(reader: Direct, found: list[int] | None = None) -> tuple[list[int], list[int]]:
    """Return which batches came, and how many at a time."""
    found = [] if found is None else found
    sizes = []
    for item in reader:
        if isinstance(item, Pack):
            found += [int(item.batch(i)[0][0, 0]) for i in range(item.count)]
            sizes.append(item.count)
            item.release()
        else:
            found.append(int(item[0][0, 0]))
            sizes.append(0)
    return found, sizes


def test_packs_are_filled_and_their_memory_is_used_again() -> None:
    reader, memory = reading(numbered(20)), set()
    found: list[int] = []
    for pack in reader:
        memory.add(id(pack.memory))
        found += [int(pack.batch(i)[0][0, 0]) for i in range(pack.count)]
        pack.release()
    assert found == list(range(20))
    assert len(memory) == 1
    assert next(reader, None) is None


def test_packs_that_are_held_stay_as_they_are() -> None:
    held = list(reading(numbered(60)))
    assert [int(pack.batch(i)[0][0, 0]) for pack in held for i in range(pack.count)] == list(range(60))


def test_a_batch_that_does_not_fit_comes_in_its_turn() -> None:
    items: list[Any] = numbered(30)
    for at in (0, 11, 12, 29):
        items[at] = numbered(30, rows=5)[at]
    assert read(reading(items)) == (list(range(30)), [0, 8, 2, 0, 0, 8, 8, 0])


def test_nothing_is_fetched_ahead() -> None:
    fetched: list[int] = []

    def batches() -> Iterator[Any]:
        for i, batch in enumerate(numbered(20)):
            fetched.append(i)
            yield batch

    reader = reading(batches())
    for so_far in (8, 16, 20):
        pack = next(reader)
        assert len(fetched) == so_far
        pack.release()


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("at", [0, 5, 8])
def test_an_error_comes_where_its_batch_would(error: type[BaseException], at: int) -> None:
    def batches() -> Iterator[Any]:
        yield from numbered(at)
        raise error("no such picture")

    reader, found = reading(batches()), []
    with pytest.raises(error, match="no such picture"):
        read(reader, found)
    assert found == list(range(at))
    assert next(reader, None) is None


def test_a_source_that_belongs_to_the_thread_before_is_told_apart() -> None:
    """Only what fails at once may do so for being read in another thread."""
    database: list[sqlite3.Connection] = []
    opens = threading.Thread(target=lambda: database.append(sqlite3.connect(":memory:")))
    opens.start()
    opens.join()

    def batches(fine: int) -> Iterator[Any]:
        yield from numbered(fine)
        database[0].execute("select 1")

    notes = []
    for fine in (0, 1):
        with pytest.raises(sqlite3.ProgrammingError) as found:
            read(reading(batches(fine)))
        notes.append(getattr(found.value, "__notes__", []))
    assert ["POLYKERAS_FAST=0" in "".join(note) for note in notes] == [True, False]


def test_a_wrong_batch_comes_after_those_before_it() -> None:
    reader, found = reading([*numbered(5), (np.array(["a"]), None)]), []
    with pytest.raises(ValueError, match="expected numbers"):
        read(reader, found)
    assert found == list(range(5))


def test_the_source_may_fill_the_same_arrays_again() -> None:
    def batches() -> Iterator[Any]:
        x, y = numbered(1)[0]
        for i in range(20):
            x[:], y[:] = i, -i
            yield x, y

    assert read(reading(batches()))[0] == list(range(20))


@pytest.mark.parametrize(("whole", "sizes"), [(False, [1] * 4), (True, [3, 1])])
def test_a_source_that_became_slow_is_not_waited_for(
    whole: bool, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = count()  # a second at each look
    monkeypatch.setattr(direct.time, "perf_counter", lambda: float(next(clock)))
    assert read(reading(numbered(4), 3, whole)) == ([0, 1, 2, 3], sizes)


def test_settings_of_a_generator_are_its_own() -> None:
    def batches() -> Iterator[Any]:
        for i, batch in enumerate(numbered(20)):
            assert setting.get() == (i or 7)
            setting.set(i + 1)
            yield batch

    token = setting.set(7)
    reader = reading(batches())
    setting.reset(token)
    for pack in reader:
        assert setting.get() == 0
        pack.release()


def test_a_closed_reader_holds_nothing_of_its_source() -> None:
    ended = threading.Event()

    def batches() -> Iterator[Any]:
        try:
            yield from numbered(20)
        finally:
            ended.set()

    reader = reading(batches())
    next(reader)
    assert not ended.is_set()
    assert reader.close()
    assert ended.wait(60.0)
    assert next(reader, None) is None


# ---- when it takes the place of a thread -------------------------------------------------------------------------


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> list[type]:
    """What reads each epoch; sources are quick however busy the machine is."""
    monkeypatch.setattr(pace, "_QUICK", 60.0)
    monkeypatch.setattr(pace, "_PART", 1e12)
    monkeypatch.setattr(packs, "PACK_BATCHES", 16)
    found: list[type] = []
    begin = polykeras.training.data.streams.StreamSource._begin

    def noted(self: Any) -> Any:
        reader = begin(self)
        found.append(type(reader))
        return reader

    monkeypatch.setattr(polykeras.training.data.streams.StreamSource, "_begin", noted)
    return found


def test_from_the_second_epoch_on_a_quick_source_is_read_directly(kinds: list[type]) -> None:
    source = make_source(Repeated(numbered(100)))
    for _ in range(3):
        assert values(source, directly=True)[0] == list(range(100))
    source.close()
    assert kinds == [Prefetch, Direct, Direct]


@pytest.mark.parametrize("data", [lambda: iter(numbered(400)), lambda: Repeated(numbered(400))])
def test_an_iterator_that_goes_on_keeps_its_thread(data: Any, kinds: list[type]) -> None:
    source = make_source(data(), steps=100)
    for epoch in range(4):
        assert values(source, directly=True)[0] == list(range(100 * epoch, 100 * epoch + 100))
    source.close()
    assert kinds == [Prefetch] * 4


def test_beside_steps_that_no_thread_disturbs_one_fetches_ahead(kinds: list[type]) -> None:
    source = make_source(Repeated(numbered(100)))
    for _ in range(3):
        values(source)
    assert kinds == [Prefetch] * 3


def test_a_source_that_became_slow_is_read_ahead_again(kinds: list[type], monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_source(Repeated(numbered(100)))
    values(source, directly=True)
    source.first_batch()  # begins an epoch
    monkeypatch.setattr(pace, "_QUICK", 0.0)
    for _ in range(2):
        assert values(source, directly=True)[0] == list(range(100))
    source.close()
    assert kinds == [Prefetch, Direct, Prefetch]


def test_an_epoch_that_is_cut_short_is_not_gone_on_with(kinds: list[type]) -> None:
    source = make_source(Repeated(numbered(100)))
    values(source, directly=True)
    for _ in range(2):
        assert values(source, most=32, directly=True)[0] == list(range(32))
    source.close()
    assert kinds == [Prefetch, Direct, Direct]


def test_plain_epochs_follow_direct_ones(kinds: list[type]) -> None:
    source = make_source(Repeated(numbered(100)))
    for _ in range(2):
        values(source, directly=True)
    source.first_batch()  # begins an epoch
    assert [int(x[0, 0]) for x, _, _ in source.epoch()] == list(range(100))
    assert [int(x[0, 0]) for x, _, _ in source.epoch()] == list(range(100))
    assert kinds == [Prefetch, Direct, Direct, Prefetch]


def test_a_fit_gives_the_same_weights(backend: Backend, kinds: list[type]) -> None:
    rng = np.random.default_rng(0)
    batches = [
        (rng.normal(size=(4, 3)).astype("float32"), rng.normal(size=(4, 1)).astype("float32")) for _ in range(64)
    ]
    x, y = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    weights = []
    for data in ((x, y), (Repeated(batches), None)):
        polykeras.utils.set_random_seed(0)
        model = Sequential([layers.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1)])
        model.compile("adam", "mse", metrics=["mae"])
        history = model.fit(*data, batch_size=4 if data[1] is not None else None, shuffle=False, epochs=3, verbose=0)
        weights.append([*model.get_weights(), np.array(history.history["mae"])])
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)  # sums of several batches' errors are in groups
    assert (Direct in kinds) == (backend.runs_in_python() and backend.is_compiled())
