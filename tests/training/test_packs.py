"""Packs: small batches of a stream in memory that is used again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import Sequential, layers, ops
from polykeras.backend import Backend
from polykeras.backend.host_memory import aligned_empty
from polykeras.common import nested
from polykeras.training.data import PyDataset, packs
from polykeras.training.data.pace import PATIENCE
from polykeras.training.data.packs import Pack, Packing, pack_capacity
from polykeras.training.data.prefetch import THREAD_NAME, Prefetch
from polykeras.training.data.sources import make_source
from polykeras.training.steps import CompiledStep
from training.numbered_batches import Repeated, numbered, values

pytestmark = pytest.mark.cpu_only("equal bits, which sums on a GPU need not have")


def test_every_epoch_has_all_batches_in_order() -> None:
    source = make_source(Repeated(numbered(300)))
    for _ in range(3):
        assert values(source)[0] == list(range(300))


def test_epochs_that_are_cut_short_cost_nothing() -> None:
    """The room of batches that were not used is used again: an epoch would stand still after a few of them."""
    source = make_source(Repeated(numbered(1000)))
    for _ in range(6):
        found, _ = values(source, most=5)
        assert found == list(range(len(found)))
    assert values(source)[0] == list(range(1000))


def test_an_epoch_of_a_limit_begins_where_the_last_one_ended() -> None:
    source = make_source(Repeated(numbered(10)), steps=4)
    assert [values(source)[0] for _ in range(4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 0, 1], [2, 3, 4, 5]]


def test_packs_and_plain_epochs_may_alternate() -> None:
    source = make_source(Repeated(numbered(100)))
    for _ in range(2):
        assert [int(batch[0][0, 0]) for batch in source.epoch()] == list(range(100))
        assert values(source)[0] == list(range(100))


@pytest.mark.parametrize("together", [2, 7, 64])
def test_so_many_batches_as_are_asked_for_come_together(together: int) -> None:
    def slow() -> Iterator[Any]:
        for i, batch in enumerate(numbered(150)):
            if i % 40 == 0:
                time.sleep(0.01)
            yield batch

    found, sizes = values(make_source(slow()), together=together)
    assert found == list(range(150))
    assert sizes == [together] * (150 // together) + [150 % together] * (150 % together > 0)


@pytest.mark.parametrize("labels", ["float32", "bool"])  # bools are copied each time, and nothing else is
def test_room_that_a_backend_uses_in_place_is_borrowed_once(
    backend: Backend, labels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not backend.borrows_in_place(aligned_empty((4, 4), np.float32)):
        pytest.skip(f"{backend.name} does not promise to use memory in place")
    places: list[int] = []
    borrow = type(backend).borrow

    def noted(self: Backend, x: Any) -> Any:
        if self.borrows_in_place(x):
            places.append(x.ctypes.data)
        return borrow(self, x)

    monkeypatch.setattr(type(backend), "borrow", noted)
    model = Sequential([layers.Input((1,)), layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    batches = [(np.full((4, 1), i, "float32"), np.full((4, 1), i > 0).astype(labels)) for i in np.linspace(-1, 1, 700)]
    model.fit(Repeated(batches), epochs=3, verbose=0)
    assert places
    assert len(places) == len(set(places))  # of at most three packs, which are filled 18 times


def test_a_pack_is_taken_while_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is being written then comes in the next pack, once."""
    write = Pack.write

    def slowly(self: Pack, place: int, batch: Any) -> None:
        time.sleep(2 * PATIENCE)  # longer than the reader is patient
        write(self, place, batch)

    monkeypatch.setattr(Pack, "write", slowly)
    found, sizes = values(make_source(iter(numbered(60))))
    assert found == list(range(60))
    assert len(sizes) > 10


def test_a_thread_that_writes_late_writes_into_nothing_that_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of a pack that was taken are as they were, whatever the thread still writes behind them."""
    packing = Packing(numbered(1)[0], 4)
    reader = Prefetch(iter(numbered(40)), 2, packing=packing)
    for item in reader:
        before = [room[: item.count].copy() for room in item.arrays]
        time.sleep(0.002)
        for room, kept in zip(item.arrays, before, strict=True):
            np.testing.assert_array_equal(room[: item.count], kept)
        item.release()


class Silent(Sequential):
    """A model whose step says nothing."""

    def train_step(self, data: Any) -> dict[str, Any]:
        super().train_step(data)
        return {}


def test_a_step_without_logs_is_waited_for(backend: Backend) -> None:
    """Nothing is read from the device then, and the memory of a chunk must not be filled again while it runs."""
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(8, 64)).astype("float32") for _ in range(2))
    batches = [(x + 0.01 * i, y) for i in range(400)]

    def trained(cls: type[Sequential], data: Any) -> np.ndarray:
        polykeras.utils.set_random_seed(0)
        model = cls([layers.Input((64,)), layers.Dense(256, activation="tanh"), layers.Dense(64)])
        model.compile("sgd", "mse")
        model.fit(data, verbose=0)
        return model.get_weights()[0]

    np.testing.assert_array_equal(trained(Silent, iter(batches)), trained(Sequential, iter(batches)))


@pytest.mark.counts_runs
def test_steps_per_execution_counts_for_streams_too(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks: list[int] = []
    rows = CompiledStep.run_rows

    def counted(self: Any, data: Any, indices: Any, start: int, stop: int) -> Any:
        chunks.append(stop - start)
        return rows(self, data, indices, start, stop)

    monkeypatch.setattr(CompiledStep, "run_rows", counted)
    model = Sequential([layers.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=5)
    model.fit(iter(numbered(23)), verbose=0)
    assert chunks == ([5, 5, 5, 5, 3] if backend.is_compiled() else [])
    assert model.optimizer.iterations.numpy() == 23


def test_features_of_size_0(backend: Backend) -> None:
    model = Sequential([layers.Input((0,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(iter([(np.zeros((4, 0), "float32"), np.ones((4, 1), "float32"))] * 5), verbose=0)
    assert float(ops.sum(model.layers[-1].bias.value)) > 0


def test_packs_keep_the_order_and_the_values() -> None:
    """Whatever the reader's speed: items that fit come in packs, others between them, each where it belongs."""
    items: list[Any] = [({"a": np.full((3, 2), i, "float32")}, None) for i in range(40)]
    items[7] = items[21] = ({"a": np.zeros((2, 2), "float32")}, None)
    items[30] = ({"a": np.zeros((3, 2), "float64")}, None)
    packing = Packing(items[0], 4)
    reader = Prefetch(iter(items), 2, packing=packing)
    found: list[Any] = []
    count = 0
    for item in reader:
        if isinstance(item, Pack):
            count += 1
            found += [item.batch(i)[0]["a"].copy() for i in range(item.count)]
            np.testing.assert_array_equal(item.rows(item.count)[0]["a"], np.concatenate(found[-item.count :]))
            item.release()
            if count % 3 == 0:
                time.sleep(0.01)
        else:
            found.append(item[0]["a"])
    assert count >= 10
    for ours, item in zip(found, items, strict=True):
        assert ours.dtype == item[0]["a"].dtype
        np.testing.assert_array_equal(ours, item[0]["a"])


@pytest.mark.parametrize(("rows", "capacity"), [(2**22, 1), (2**18, 8), (1, 128)])
def test_large_batches_are_not_packed(rows: int, capacity: int) -> None:
    assert pack_capacity(np.zeros(rows, "float32")) == capacity
    assert pack_capacity(np.zeros(rows, "float32"), 3) == min(3, capacity)


def test_rooms_can_be_used_in_place() -> None:
    pack = Packing((np.zeros((3, 5), "float32"), np.zeros(3, "int8")), 3).free[0]
    assert [room.ctypes.data % 64 for room in pack.arrays] == [0, 0]
    assert [room.shape for room in pack.arrays] == [(3, 3, 5), (3, 3)]


@pytest.mark.parametrize(
    "structure",
    [lambda x: ((x, x + 1), x), lambda x: ((x,), x), lambda x: (x, (x, x)), lambda x: [x, x], lambda x: ({"a": x}, x)],
)
def test_batches_of_any_structure_are_packed(structure: Any) -> None:
    batches = [structure(np.full((3, 2), i, "float32")) for i in range(50)]
    found: list[Any] = []
    source = make_source(iter(batches))
    for item in source.packs():
        assert isinstance(item, Pack)
        found += [[leaf.copy() for leaf in nested.flatten(item.batch(i))] for i in range(item.count)]
        item.release()
    for ours, given in zip(found, batches, strict=True):
        for leaf, expected in zip(ours, nested.flatten(given), strict=True):
            np.testing.assert_array_equal(leaf, expected)


def test_more_batches_may_wait_than_packs_take() -> None:
    """All that waits when packing begins has room, however few batches go into a pack."""

    class Many(PyDataset):
        def __len__(self) -> int:
            return 40

        def __getitem__(self, index: int) -> Any:
            return numbered(40)[index]

    source = make_source(Many(max_queue_size=30), shuffle=False)
    source.first_batch()
    ahead = source._ahead  # type: ignore[union-attr]
    for _ in range(500):
        if len(ahead._shelf._items) >= 29:  # type: ignore[union-attr]
            break
        time.sleep(0.01)
    found, sizes = values(source, together=2)  # type: ignore[arg-type]
    assert found == list(range(40))
    assert sizes == [2] * 20


@pytest.mark.parametrize("at", [0, 1, 5, 8, 61])
@pytest.mark.parametrize("part", [0, 1])
def test_a_nan_is_found_wherever_it_is(at: int, part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches are looked at several at once, and those that come before a nan are given out."""
    monkeypatch.setattr(packs, "LOOK_BYTES", 4 * sum(leaf.nbytes for leaf in numbered(1)[0]))
    batches = numbered(62)
    batches[at][part][1, 0] = np.nan
    for together in (None, 7):
        source, found = make_source(iter(batches)), []
        with pytest.raises(ValueError, match=rf"^{'xy'[part]} contains nan in 1 of 3 samples \(rows 1\)"):
            for item in source.packs(together):
                found += [int(item.batch(i)[0][0, 0]) for i in range(item.count)] if isinstance(item, Pack) else [0]
                if isinstance(item, Pack):
                    item.release()
        assert found == list(range(at))


def test_a_nan_in_a_pack_of_an_epoch_that_is_not_packed() -> None:
    batches = numbered(60)
    source = make_source(Repeated(batches))
    assert values(source)[0] == list(range(60))
    batches[9][0][:] = np.nan
    source.first_batch()  # begins an epoch, with packs as in the one before
    assert source._packing is not None  # type: ignore[union-attr]
    epoch = source.epoch()
    assert [int(next(epoch)[0][0, 0]) for _ in range(9)] == list(range(9))
    with pytest.raises(ValueError, match="x contains nan in 3 of 3 samples"):
        next(epoch)


def test_a_weight_may_be_nan() -> None:
    batches = [(*batch, np.full(3, np.nan, "float32")) for batch in numbered(20)]
    assert values(make_source(iter(batches)))[0] == list(range(20))


def test_full_packs_are_checked_where_they_are_filled() -> None:
    """What could not be looked at there is looked at later, and so is all of a pack in which something is wrong."""
    seen: list[tuple[str, int]] = []
    knows = False

    def check(rows: Any) -> bool:
        seen.append((threading.current_thread().name, len(rows[0])))
        if knows and (rows[0] == 70).any():
            raise ValueError("there is a 70")
        return knows

    source = make_source(Repeated(numbered(100)))
    source.check = check  # type: ignore[union-attr]
    assert values(source, together=40)[0] == list(range(100))
    ours, whole = threading.current_thread().name, 40 * 3
    assert seen.count((ours, whole)) == seen.count((THREAD_NAME, whole)) == 2
    seen.clear()
    knows, found = True, []
    with pytest.raises(ValueError, match="there is a 70"):
        for item in source.packs(40):
            found += [int(item.batch(i)[0][0, 0]) for i in range(item.count)]
            item.release()
    assert found == list(range(70))
    assert (ours, 3) in seen, "batch by batch, once it was clear that one of them is wrong"
    assert seen.count((ours, whole)) == 1, "only those of the second pack"


def test_what_packs_know_of_places_is_one_array_that_nobody_writes_to() -> None:
    first, other = (Packing(numbered(1)[0], 4).free[0] for _ in range(2))
    assert first.numbers is other.numbers
    with pytest.raises(ValueError, match="read-only"):
        first.numbers[0] = 1
