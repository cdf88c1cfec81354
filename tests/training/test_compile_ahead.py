"""Steps are compiled before large data come to the device: nothing of it can be seen, but in the memory it takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import polykeras
from helpers.memory import resident_set
from polykeras import config
from polykeras.backend import Backend
from polykeras.backend.host_memory import LARGE, aligned_empty, give_back, is_glibc
from polykeras.training.array_chunks import array_chunks
from polykeras.training.chunks import ChunkSize
from polykeras.training.data.array_source import ArraySource
from polykeras.training.steps import CompiledStep
from polykeras.training.steps.prepare import prepare
from training.own_models import Counter

pytestmark = pytest.mark.cpu_only("memory that a framework on the CPU uses in place")

ROWS = LARGE // 4 // 64  # of 64 float32: as much as is large


def data(rows: int = ROWS) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, 64)).astype("float32"), rng.integers(2, size=(rows, 1)).astype("float32")


def model_of() -> Any:
    polykeras.utils.set_random_seed(0)
    layers = [polykeras.layers.Dropout(0.5, seed=3), polykeras.layers.Dense(1, activation="sigmoid")]
    model = polykeras.Sequential([polykeras.Input((64,)), Counter(), *layers])
    model.compile(polykeras.optimizers.Adam(0.01), "binary_crossentropy")
    return model


@pytest.fixture
def ahead(backend: Backend) -> Backend:
    """Each backend under test that compiles ahead."""
    if not backend.execution.compiles_ahead():
        pytest.skip(f"{backend.name} compiles no chunks of steps, or POLYKERAS_FAST=0")
    return backend


def order_of_events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list in which it will stand when steps are compiled ahead and when data come to the device."""
    events: list[str] = []
    for cls, name in ((CompiledStep, "compile_rows"), (ArraySource, "resident")):
        plain = getattr(cls, name)

        def noted(*args: Any, plain: Any = plain, name: str = name, **kwargs: Any) -> Any:
            events.append(name)
            return plain(*args, **kwargs)

        monkeypatch.setattr(cls, name, noted)
    return events


def test_steps_are_compiled_once_and_before_large_data_come(ahead: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    events, model = order_of_events(monkeypatch), model_of()
    model.fit(*data(), batch_size=512, epochs=3, verbose=0)
    assert events == ["compile_rows", "resident", "resident", "resident"]
    assert model.layers[0].traces == 1
    assert model.optimizer.iterations.numpy() == 3 * ROWS // 512
    del events[:]
    model.evaluate(*data(), batch_size=512, verbose=0)
    assert events == ["compile_rows", "resident"]


def test_small_data_come_at_once(ahead: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    events = order_of_events(monkeypatch)
    model_of().fit(*data(ROWS // 2), batch_size=512, verbose=0)
    assert events == ["resident"]


def test_nothing_changes_by_it(ahead: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    def trained() -> tuple[list[float], list[np.ndarray]]:
        model = model_of()
        # 1000 rows a batch: the last one is filled up, so that the numbers of the rows are data too.
        history = model.fit(*data(), batch_size=1000, epochs=2, verbose=0)
        return history.history["loss"], model.get_weights()

    numbered: list[bool] = []
    room = ArraySource.room
    monkeypatch.setattr(ArraySource, "room", lambda *args: (numbered.append(args[2]), room(*args))[1])
    losses, weights = trained()
    assert numbered == [True]
    policy = replace(ahead.execution, compiles_ahead=lambda: False)
    monkeypatch.setattr(type(ahead), "execution", policy)
    plain_losses, plain_weights = trained()
    assert losses == plain_losses
    for ours, plain in zip(weights, plain_weights, strict=True):
        np.testing.assert_array_equal(ours, plain)


def test_no_step_is_done_and_no_state_lost(ahead: Backend) -> None:
    model = model_of()
    source = ArraySource((*data(), None), 512)
    step = prepare(model, "train", source.first_batch())
    before = [v.numpy() for v in model._all_variables()]
    step.compile_rows(source.room(ahead), source.order()[0])
    for variable, value in zip(model._all_variables(), before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_an_error_of_the_step_comes_as_ever(backend: Backend) -> None:
    class Wrong(polykeras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = polykeras.layers.Dense(1)

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs)

        def train_step(self, batch: Any) -> Any:
            if polykeras.backend.registry.current().holds_values:
                raise RuntimeError("this step is wrong")
            return super().train_step(batch)

    model = Wrong()
    model.compile("sgd", "mse")
    with pytest.raises(RuntimeError, match="this step is wrong"):
        model.fit(*data(), verbose=0)


def test_with_the_nan_guard_a_bad_weight_is_named(backend: Backend) -> None:
    config.set_nan_guard(True)
    try:
        model = model_of()
        model.fit(*data(), batch_size=512, verbose=0)
        kernel, bias = model.get_weights()
        model.set_weights([np.full_like(kernel, np.nan), bias])
        with pytest.raises(FloatingPointError, match="not finite before the step"):
            model.fit(*data(), batch_size=512, verbose=0)
    finally:
        config.set_nan_guard(False)


def test_eager_steps_have_nothing_to_compile(ahead: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    events, model = order_of_events(monkeypatch), model_of()
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(*data(), batch_size=ROWS // 2, verbose=0)
    assert events == ["resident"]
    assert model.optimizer.iterations.numpy() == 2


def test_room_is_like_the_data(backend: Backend) -> None:
    x, y = data()
    parts: Any = ({"a": x, "b": x.astype("float64"), "c": x > 0}, y, None)
    source = ArraySource(parts, 32)
    assert source.is_to_come(backend)
    for numbered in (False, True):
        room, held = source.room(backend, numbered), source.resident(backend, numbered)
        ours, theirs = polykeras.tree.flatten(room), polykeras.tree.flatten(held)
        assert [(backend.shape(a), backend.dtype(a)) for a in ours] == [
            (backend.shape(a), backend.dtype(a)) for a in theirs
        ]
    assert not source.is_to_come(backend)
    assert not ArraySource((x[:32], None, None), 32).is_to_come(backend)


def test_an_array_that_is_inputs_and_labels_comes_once(backend: Backend) -> None:
    x, y = data()
    source = ArraySource((x, {"a": x, "b": y}, None), 32)
    for placed in (source.room(backend), source.resident(backend)):
        assert placed[0] is placed[1]["a"]
        assert placed[0] is not placed[1]["b"]
    np.testing.assert_array_equal(backend.to_numpy(source.resident(backend)[0]), x)


def test_room_for_large_data_is_not_touched(ahead: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[np.ndarray] = []

    def noted(*args: Any) -> np.ndarray:
        made.append(aligned_empty(*args))
        return made[-1]

    monkeypatch.setattr("polykeras.training.data.array_source.aligned_empty", noted)
    room = ArraySource((data()[0], None, None), 32).room(ahead)
    made[0][5, 3] = 7.0  # in place: nothing was copied
    assert ahead.to_numpy(room)[5, 3] == 7.0


def test_of_an_epoch_that_was_begun_what_is_left_is_compiled_or_nothing(
    ahead: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, model = order_of_events(monkeypatch), model_of()
    step = prepare(model, "train", ArraySource((*data(), None), 512).first_batch())
    for done, wanted in ((ROWS // 512 - 1, ["compile_rows", "resident"]), (ROWS // 512, ["resident"])):
        del events[:]
        chunks = list(array_chunks(ArraySource((*data(), None), 512), step, ahead, ChunkSize(), done=done))
        assert [start for start, _ in chunks] == list(range(done, ROWS // 512))
        assert events == wanted


@pytest.mark.skipif(not is_glibc(), reason="another C library keeps memory in its own way")
def test_memory_is_given_back() -> None:
    give_back()
    blocks = [np.ones(8000) for _ in range(1000)]  # of 64 KB: glibc takes them from its heap, which ends with the last
    last = blocks.pop()
    del blocks
    before = resident_set()
    give_back()
    assert before - resident_set() > 30 * 2**20
    assert last.all()
