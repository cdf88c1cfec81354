"""Small batches of a stream in a buffer, which is filled again and again while steps run over it."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import Sequential, callbacks, layers, ops
from polykeras.backend import Backend
from polykeras.backend.host_memory import aligned_empty
from polykeras.common import nested
from polykeras.training.data import PyDataset, batches
from polykeras.training.data.batches import BufferSlice, prepared
from polykeras.training.data.reader import THREAD_NAME
from polykeras.training.data.sources import make_source
from polykeras.training.data.streams import StreamSource
from polykeras.training.steps import CompiledStep
from training.numbered_batches import Repeated, batches_in, numbered, values

pytestmark = pytest.mark.cpu_only("equal bits, which sums on a GPU need not have")


def stream(data: Any, **kwargs: Any) -> StreamSource:
    """Return the source of a stream."""
    source = make_source(data, **kwargs)
    assert isinstance(source, StreamSource)
    return source


def test_every_epoch_has_all_batches_in_order() -> None:
    source = stream(Repeated(numbered(600)))
    for _ in range(3):
        assert values(source)[0] == list(range(600))


def test_epochs_that_are_cut_short_cost_nothing() -> None:
    """The room of batches that were not used is used again: an epoch would stand still after a few of them."""
    source = stream(Repeated(numbered(1000)))
    for _ in range(6):
        found, _ = values(source, most=5)
        assert found == list(range(len(found)))
    assert values(source)[0] == list(range(1000))


def test_an_epoch_of_a_limit_begins_where_the_last_one_ended() -> None:
    source = stream(Repeated(numbered(10)), steps=4)
    assert [values(source)[0] for _ in range(4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9], [0, 1, 2, 3]]


def test_slices_and_single_batches_may_alternate() -> None:
    source = stream(Repeated(numbered(100)))
    for _ in range(2):
        assert [int(batch[0][0, 0]) for batch in source.read_epoch()] == list(range(100))
        assert values(source)[0] == list(range(100))


@pytest.mark.parametrize("at_once", [2, 7, 64])
def test_so_many_batches_as_are_asked_for_come_together(at_once: int) -> None:
    def slow() -> Iterator[Any]:
        for i, batch in enumerate(numbered(150)):
            if i % 40 == 0:
                time.sleep(0.01)
            yield batch

    found, sizes = values(stream(slow()), at_once=at_once)
    assert found == list(range(150))
    assert all(size % at_once == 0 for size in sizes[:-1])
    assert sizes[-1] % at_once == 150 % at_once


def test_what_waits_is_joined() -> None:
    """While the first batch is used the others are read, and all of those are there next."""
    count = 20
    all_read = threading.Event()

    def some() -> Iterator[Any]:
        yield from numbered(count)
        all_read.set()

    source, sizes = stream(some()), []
    for item in source.read_epoch(1):
        sizes.append(len(batches_in(item)))
        assert all_read.wait(60.0)
        time.sleep(0.01)  # the last one is handed over after that
    source.close()
    assert sum(sizes) == count
    assert len(sizes) <= 3


def test_memory_is_bounded_by_the_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read ahead for which there is no room, and the room of what is used is not written to."""
    monkeypatch.setattr(batches, "BATCHES", 8)
    read: list[int] = []

    def many() -> Iterator[Any]:
        for i, batch in enumerate(numbered(40)):
            read.append(i)
            yield batch

    source, taken = stream(many()), 0
    for item in source.read_epoch(1):
        before = [np.array(part) for part in item.buffer.rows(item.start, item.stop)]
        for _ in range(200):
            if len(read) >= min(40, taken + 9):
                break
            time.sleep(0.005)
        time.sleep(0.005)
        assert len(read) <= taken + 9  # all of the buffer, and one that waits for room
        for part, kept in zip(item.buffer.rows(item.start, item.stop), before, strict=True):
            np.testing.assert_array_equal(part, kept)
        taken += item.stop - item.start
    source.close()
    assert taken == 40


@pytest.mark.parametrize("labels", ["float32", "bool"])  # bools are never used in place
def test_a_buffer_that_a_backend_uses_in_place_is_borrowed_once(
    backend: Backend, labels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not backend.borrows_in_place(aligned_empty((4, 4), np.float32)):
        pytest.skip(f"{backend.name} does not promise to use memory in place")
    monkeypatch.setattr(batches, "BATCHES", 32)
    borrowed: list[int] = []
    chunks: list[int] = []
    borrow, run = type(backend).borrow, CompiledStep.run_rows

    def noted(self: Backend, x: Any) -> Any:
        if self.borrows_in_place(x):
            borrowed.append(x.ctypes.data)
        return borrow(self, x)

    def counted(self: Any, data: Any, indices: Any, start: int, stop: int) -> Any:
        chunks.append(stop - start)
        return run(self, data, indices, start, stop)

    monkeypatch.setattr(type(backend), "borrow", noted)
    monkeypatch.setattr(CompiledStep, "run_rows", counted)
    model = Sequential([layers.Input((1,)), layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    data = [(np.full((4, 1), i, "float32"), np.full((4, 1), i > 0).astype(labels)) for i in np.linspace(-1, 1, 700)]
    model.fit(Repeated(data), epochs=3, verbose=0)
    assert len(chunks) > 3 * 10
    if labels == "float32":
        assert len(borrowed) == 2 * 3  # x and y, in each epoch


class Silent(Sequential):
    """A model whose step says nothing."""

    def train_step(self, data: Any) -> dict[str, Any]:
        super().train_step(data)
        return {}


def test_a_step_without_logs_is_waited_for(backend: Backend) -> None:
    """Nothing is read from the device then, and the memory of a chunk must not be filled again while it runs."""
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(8, 64)).astype("float32") for _ in range(2))
    data = [(x + 0.01 * i, y) for i in range(400)]

    def trained(cls: type[Sequential], data: Any) -> np.ndarray:
        polykeras.utils.set_random_seed(0)
        model = cls([layers.Input((64,)), layers.Dense(256, activation="tanh"), layers.Dense(64)])
        model.compile("sgd", "mse")
        model.fit(data, verbose=0)
        return model.get_weights()[0]

    np.testing.assert_array_equal(trained(Silent, iter(data)), trained(Sequential, iter(data)))


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_steps_per_execution_counts_for_streams_too(backend: Backend, run_eagerly: bool) -> None:
    ends: list[int] = []
    told = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: ends.append(batch))
    model = Sequential([layers.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=5, run_eagerly=run_eagerly)
    model.fit(iter(numbered(23)), verbose=0, callbacks=[told])
    assert ends == [4, 9, 14, 19, 22]
    assert model.optimizer.iterations.numpy() == 23


def test_features_of_size_0(backend: Backend) -> None:
    model = Sequential([layers.Input((0,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(iter([(np.zeros((4, 0), "float32"), np.ones((4, 1), "float32"))] * 5), verbose=0)
    assert float(ops.sum(model.layers[-1].bias.value)) > 0


@pytest.mark.parametrize("at_once", [1, 4])
def test_batches_that_do_not_fit_come_in_their_place(at_once: int) -> None:
    items: list[Any] = [({"a": np.full((3, 2), i, "float32")}, None) for i in range(40)]
    items[7] = items[21] = ({"a": np.zeros((2, 2), "float32")}, None)
    items[30] = ({"a": np.zeros((3, 2), "int32")}, None)
    source, alone, found = stream(iter(items)), [], []
    for item in source.read_epoch(at_once):
        if not isinstance(item, BufferSlice):
            alone.append(len(found))
        found += [np.array(batch[0]["a"]) for batch in batches_in(item)]
    source.close()
    assert alone == [7, 21, 30]
    for ours, item in zip(found, items, strict=True):
        assert ours.dtype == item[0]["a"].dtype
        np.testing.assert_array_equal(ours, item[0]["a"])


@pytest.mark.parametrize(("numbers", "capacity"), [(2**23, 1), (2**19, 8), (1, 256)])
def test_large_batches_are_copied_one_by_one(numbers: int, capacity: int) -> None:
    batch = prepared(np.zeros(numbers, "float32"))
    for most in (None, 3, 1):
        buffer = batches.Buffer.like(batch, most)
        assert (buffer.capacity if buffer else 1) == min(most or capacity, capacity)


@pytest.mark.parametrize(("at_once", "capacity"), [(2, 8), (3, 6), (7, 14), (40, 1)])
def test_there_is_room_for_batches_that_run_together_and_as_many_more(at_once: int, capacity: int) -> None:
    buffer = batches.Buffer.like(prepared(np.zeros(2**19, "float32")), at_once=at_once)  # of 2 MB
    assert (buffer.capacity if buffer else 1) == capacity


def test_a_buffer_can_be_used_in_place() -> None:
    buffer = batches.Buffer(prepared((np.zeros((3, 5), "float32"), np.zeros(3, "int8"))).signature, 3)
    rows = buffer.rows(0, 3)
    assert [part.ctypes.data % 64 for part in rows] == [0, 0]
    assert [part.shape for part in rows] == [(9, 5), (9,)]
    assert buffer.indices.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    with pytest.raises(ValueError, match="read-only"):
        buffer.indices[0] = 1


@pytest.mark.parametrize(
    "structure",
    [lambda x: ((x, x + 1), x), lambda x: ((x,), x), lambda x: (x, (x, x)), lambda x: [x, x], lambda x: ({"a": x}, x)],
)
def test_batches_of_any_structure_share_a_buffer(structure: Any) -> None:
    data = [structure(np.full((3, 2), i, "float32")) for i in range(50)]
    found: list[Any] = []
    source = stream(iter(data))
    for item in source.read_epoch(1):
        assert isinstance(item, BufferSlice)
        found += [[leaf.copy() for leaf in nested.flatten(batch)] for batch in batches_in(item)]
    source.close()
    for ours, given in zip(found, data, strict=True):
        for leaf, expected in zip(ours, nested.flatten(given), strict=True):
            np.testing.assert_array_equal(leaf, expected)


def test_no_more_batches_wait_than_a_data_set_wants() -> None:
    read: list[int] = []

    class Many(PyDataset):
        def __len__(self) -> int:
            return 40

        def __getitem__(self, index: int) -> Any:
            read.append(index)
            return numbered(40)[index]

    source, taken = stream(Many(max_queue_size=6)), 0
    for item in source.read_epoch(1):
        time.sleep(0.01)
        assert len(read) <= taken + 7
        taken += len(batches_in(item))
    source.close()
    assert read == list(range(40))


@pytest.mark.parametrize("at", [0, 1, 5, 8, 61])
@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("at_once", [0, 1, 7])
def test_a_nan_is_found_wherever_it_is(at: int, part: int, at_once: int) -> None:
    """Batches that come before it are given out."""
    data = numbered(62)
    data[at][part][1, 0] = np.nan
    source, found = stream(iter(data)), []
    with pytest.raises(ValueError, match=rf"^{'xy'[part]} contains nan in 1 of 3 samples \(row 1\)"):
        for item in source.read_epoch(at_once):
            found += [int(x[0, 0]) for x, _ in batches_in(item)]
    source.close()
    assert found == list(range(at))


def test_a_weight_may_be_nan() -> None:
    data = [(*batch, np.full(3, np.nan, "float32")) for batch in numbered(20)]
    source = stream(iter(data))
    assert sum(len(batches_in(item)) for item in source.read_epoch(1)) == 20
    source.close()


@pytest.mark.parametrize("alone", [False, True])
def test_what_a_check_refuses_stops_before_its_batch(alone: bool) -> None:
    """Slices are checked as one batch; where something is wrong, batch by batch."""
    seen: list[int] = []

    def check(batch: Any) -> None:
        seen.append(len(batch[0]))
        if (batch[0] == 70).any() and (alone or len(batch[0]) > 3):
            raise ValueError("there is a 70")

    source, found = stream(Repeated(numbered(100))), []
    source.check = check
    with pytest.raises(ValueError, match="there is a 70"):
        for item in source.read_epoch(40):
            found += [int(x[0, 0]) for x, _ in batches_in(item)]
    source.close()
    assert found == list(range(70 if alone else len(found)))
    assert len(found) in ((70,) if alone else (80, 100))
    assert seen[0] >= 40 * 3


def test_what_is_read_is_not_held() -> None:
    """Neither by the source nor by the thread, once an epoch or the source has ended."""

    class Held(list[Any]):
        pass

    def items() -> Iterator[Any]:
        for batch in numbered(10):
            held.append(weakref.ref(one := Held(batch)))
            yield one
            del one

    held: list[Any] = []
    source = stream(items())
    gc.disable()
    try:
        assert values(source)[0] == list(range(10))
        source.close()
        assert [item for item in held if item() is not None] == []
    finally:
        gc.enable()
    assert [thread for thread in threading.enumerate() if thread.name == THREAD_NAME] == []
