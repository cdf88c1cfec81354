"""Sources that lie ready, beside steps that are Python: the reader takes for itself, and what comes is the same."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import Sequential, fast, layers
from polykeras.backend import Backend, registry
from polykeras.training.data import packs
from polykeras.training.data.direct import Direct
from polykeras.training.data.packs import Pack, Packing
from polykeras.training.data.prefetch import THREAD_NAME, Prefetch
from polykeras.training.data.preparation import Preparation, checked_copy
from polykeras.training.data.streams import StreamSource
from training.numbered_batches import Repeated, numbered, values


def reading(items: Any, capacity: int | None = 8) -> Direct:
    packing = None if capacity is None else Packing((*numbered(1)[0], None), capacity)
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
    reader.start_packing(Packing((*numbered(1)[0], None), 8), before)
    assert read(reader) == (list(range(20)), [8, 8, 4])


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
        for fails in (False, True):
            source = batches(fails)
            held, reader = weakref.ref(source), reading(source)
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


class Ready(Repeated):
    """Batches that lie ready, as those of a list in a `DataLoader` do; it knows who reads them."""

    def __init__(self, batches: list[Any]) -> None:
        super().__init__(batches)
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
    source = StreamSource(data.make, limit, ready=True)
    for epoch in range(3):
        first = 40 * epoch if limit else 0
        found, sizes = values(source)
        assert found == list(range(first, first + (limit or 120)))
        assert max(sizes) == 16
    assert [int(x[0, 0]) for x, _, _ in source.epoch()][:2] == [0, 1]
    source.close()
    assert data.readers == {threading.current_thread().name if backend.runs_in_python() else THREAD_NAME}


def test_a_wrong_label_in_a_pack_is_named_and_what_came_before_it_counts(backend: Backend) -> None:
    batches = numbered(20)
    batches[13][0][1, 1] = np.nan
    source = StreamSource(lambda: iter(batches), None, ready=True)
    found: list[int] = []
    with pytest.raises(ValueError, match=r"x contains nan in 1 of 3 samples \(rows 1\)"):
        for item in source.packs():
            found += [int(item.batch(i)[0][0, 0]) for i in range(item.count)]
    source.close()
    assert found == list(range(13))


@pytest.mark.usefixtures("small_packs")
@pytest.mark.needs("torch")
@pytest.mark.parametrize("form", ["batches", "rows"])
def test_a_fit_over_a_loader_gives_the_weights_of_one_over_arrays(
    backend: Backend, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch: Any = pytest.importorskip("torch")
    from torch.utils.data import DataLoader, TensorDataset

    begun: set[type] = set()
    for reader in (Direct, Prefetch):
        begin = reader.__init__
        monkeypatch.setattr(
            reader, "__init__", lambda self, *args, begin=begin, **named: (begun.add(type(self)), begin(self, *args))[1]
        )
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(258, 3)).astype("float32"), rng.normal(size=(258, 1)).astype("float32")
    batches: Any = [(x[i : i + 4], y[i : i + 4]) for i in range(0, 258, 4)]
    rows: Any = TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    loader = DataLoader(batches, batch_size=None) if form == "batches" else DataLoader(rows, batch_size=4)
    weights = []
    for data in ({"x": x, "y": y, "batch_size": 4, "shuffle": False}, {"x": loader}):
        polykeras.utils.set_random_seed(0)
        model = Sequential([layers.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1)])
        model.compile("adam", "mse", metrics=["mae"])
        history = model.fit(**data, epochs=3, verbose=0)
        weights.append([*model.get_weights(), np.array(history.history["mae"])])
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)  # sums of several batches' errors are in groups
    assert begun == {Direct if registry.lies_ready(loader) and backend.runs_in_python() else Prefetch}
    assert registry.lies_ready(loader) == fast.enabled()
