"""Sources that lie ready, beside steps that are Python: the reader takes for itself, and what comes is the same."""

from __future__ import annotations

import gc
import itertools
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import Sequential, fast, layers
from polykeras.backend import Backend
from polykeras.training.data import packs
from polykeras.training.data.direct import Direct
from polykeras.training.data.packs import Pack, Packing
from polykeras.training.data.prefetch import THREAD_NAME, Prefetch
from polykeras.training.data.preparation import Preparation, checked_copy
from polykeras.training.data.streams import StreamSource
from training.numbered_batches import numbered, values

pytestmark = pytest.mark.cpu_only("equal bits, which sums on a GPU need not have")


def reading(items: Any, capacity: int | None = 8) -> Direct:
    packing = None if capacity is None else Packing(numbered(1)[0], capacity)
    return Direct(iter(items), Preparation(None), checked_copy, packing)


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


def test_without_packing_items_come_one_by_one() -> None:
    assert read(reading(numbered(5), None)) == ([0, 1, 2, 3, 4], [0] * 5)


def test_packing_may_begin_after_some_items() -> None:
    reader = reading(numbered(20), None)
    before = [next(reader) for _ in range(3)]
    reader.start_packing(Packing(numbered(1)[0], 8), before)
    assert read(reader) == (list(range(20)), [8, 8, 4])


def test_what_came_before_and_does_not_fit_comes_in_its_turn() -> None:
    items: list[Any] = numbered(12)
    items[1] = numbered(12, rows=5)[1]
    reader = reading(items, None)
    before = [next(reader) for _ in range(3)]
    reader.start_packing(Packing(numbered(1)[0], 8), before)
    assert read(reader) == (list(range(12)), [1, 0, 8, 2])


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


@pytest.mark.parametrize("at", [0, 5, 8])
def test_an_error_comes_where_its_batch_would(at: int) -> None:
    def batches() -> Iterator[Any]:
        yield from numbered(at)
        raise OSError("no such picture")

    reader, found = reading(batches()), []
    with pytest.raises(OSError, match="no such picture"):
        read(reader, found)
    assert found == list(range(at))
    assert next(reader, None) is None


def test_an_interrupt_comes_at_once() -> None:
    def batches() -> Iterator[Any]:
        yield from numbered(5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(reading(batches()))


def test_a_wrong_batch_comes_after_those_before_it() -> None:
    reader, found = reading([*numbered(5), (np.array(["a"]), None)]), []
    with pytest.raises(ValueError, match="expected numbers"):
        read(reader, found)
    assert found == list(range(5))


def test_a_closed_or_failed_reader_holds_nothing_of_its_source() -> None:
    def batches(fails: bool) -> Iterator[Any]:
        yield from numbered(20)
        if fails:
            raise OSError("no such picture")
        yield from numbered(20)

    gc.disable()
    try:
        for fails, capacity in itertools.product((False, True), (8, None)):
            source = batches(fails)
            held, reader = weakref.ref(source), reading(source, capacity)
            if fails:
                with pytest.raises(OSError, match="no such picture"):
                    read(reader)
            else:
                next(reader)
                assert reader.close()
            del source
            assert held() is None
            assert next(reader, None) is None
    finally:
        gc.enable()


# ---- when it takes the place of a thread -------------------------------------------------------------------------


class Ready:
    """Batches that lie ready, as those of a list in a `DataLoader` do; it knows who reads them."""

    def __init__(self, batches: list[Any]) -> None:
        self.batches = batches
        self.readers: set[str] = set()

    def make(self) -> Iterator[Any]:
        for batch in self.batches:
            self.readers.add(threading.current_thread().name)
            yield batch


@pytest.fixture
def small_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "PACK_BATCHES", 16)


@pytest.mark.usefixtures("small_packs")
@pytest.mark.parametrize("limit", [None, 40])
def test_beside_steps_of_python_the_reader_takes_what_lies_ready(backend: Backend, limit: int | None) -> None:
    data = Ready(numbered(120))
    source = StreamSource(data.make, limit, ready=lambda: True)
    for epoch in range(3):
        first = 40 * epoch if limit else 0
        found, sizes = values(source)
        assert found == list(range(first, first + (limit or 120)))
        assert max(sizes) == 16
    assert data.readers == {
        threading.current_thread().name if backend.execution.threads_disturb_steps() else THREAD_NAME
    }
    assert [int(x[0, 0]) for x, _ in source.epoch()] == list(range(limit or 120))
    source.close()


def test_batches_that_are_not_packed_are_read_ahead(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "PACK_BYTES", 1)
    data = Ready(numbered(30))
    source = StreamSource(data.make, None, ready=lambda: True)
    for _ in range(2):
        assert values(source) == (list(range(30)), [1] * 30)
    source.close()
    assert data.readers >= {THREAD_NAME}


def test_a_nan_in_a_pack_is_named_and_what_came_before_it_counts(backend: Backend) -> None:
    batches = numbered(20)
    batches[13][0][1, 1] = np.nan
    source = StreamSource(lambda: iter(batches), None, ready=lambda: True)
    found: list[int] = []
    with pytest.raises(ValueError, match=r"x contains nan in 1 of 3 samples \(rows 1\)"):
        for item in source.packs():
            found += [int(item.batch(i)[0][0, 0]) for i in range(item.count)]
    source.close()
    assert found == list(range(13))


def loader_of(form: str, count: int = 258) -> Any:
    """Return a loader that draws its order; rows come with a last batch that is smaller."""
    torch: Any = pytest.importorskip("torch")
    from torch.utils.data import DataLoader, TensorDataset

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(count, 3)).astype("float32"), rng.integers(0, 2, (count, 1)).astype("float32")
    if form == "rows":
        return DataLoader(TensorDataset(torch.from_numpy(x), torch.from_numpy(y)), batch_size=4, shuffle=True)
    return DataLoader([(x[i : i + 4], y[i : i + 4]) for i in range(0, count - 3, 4)], batch_size=None, shuffle=True)


RUNS: dict[str, dict[str, Any]] = {
    "plain": {},
    "weights of classes": {"class_weight": {0: 1.0, 1: 3.0}},
    "few steps": {"steps_per_epoch": 10},
    "eager": {"run_eagerly": True},
    "three at a time": {"steps_per_execution": 3},
}


@pytest.mark.usefixtures("small_packs")
@pytest.mark.needs("torch")
@pytest.mark.parametrize("how", RUNS)
@pytest.mark.parametrize("form", ["batches", "rows"])
def test_runs_are_the_same_with_and_without_a_thread(
    backend: Backend, form: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit: training with validation, evaluation and prediction."""
    begun: list[type] = []
    begin = StreamSource._begin

    def noted(source: StreamSource) -> Any:
        begun.append(type(reader := begin(source)))
        return reader

    monkeypatch.setattr(StreamSource, "_begin", noted)
    options, found = dict(RUNS[how]), []
    compiled = {name: options.pop(name) for name in ("run_eagerly", "steps_per_execution") if name in options}
    for ready in (True, False):
        if not ready:
            monkeypatch.setattr("polykeras.training.data.sources.lies_ready", lambda source: False)
        polykeras.utils.set_random_seed(0)
        model = Sequential([layers.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1, "sigmoid")])
        model.compile("adam", "binary_crossentropy", metrics=["accuracy"], **compiled)
        history = model.fit(
            loader_of(form), epochs=3, verbose=0, validation_data=loader_of(form, 40), **options
        ).history
        evaluated = model.evaluate(loader_of(form), verbose=0)
        found.append(
            [*model.get_weights(), *history.values(), evaluated, model.predict(loader_of(form, 40), verbose=0)]
        )
        direct = ready and backend.execution.threads_disturb_steps() and fast.enabled()
        assert set(begun) == {Direct if direct else Prefetch}
        begun.clear()
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
