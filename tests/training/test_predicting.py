"""The last batch of `predict` is filled up where no sample can tell, and no other way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polykeras import Input, Model, Sequential, callbacks, layers, ops
from polykeras.backend import Backend
from polykeras.training.steps import CompiledStep

X = np.random.default_rng(0).normal(size=(60, 3)).astype("float32")


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the number of rows of each batch that a step gets."""
    found: list[int] = []
    run_batch = CompiledStep.run_batch

    def noted(self: CompiledStep, batch: Any) -> Any:
        found.append(len(batch[0]))
        return run_batch(self, batch)

    monkeypatch.setattr(CompiledStep, "run_batch", noted)
    return found


def test_all_batches_have_one_size(backend: Backend, rows: list[int]) -> None:
    model = Sequential([Input((3,)), layers.Dense(4, activation="tanh"), layers.BatchNormalization(), layers.Dense(2)])
    predicted = model.predict(X, batch_size=16, verbose=0)
    assert rows == [16, 16, 16, 16 if backend.is_compiled() else 12]
    # Products of other numbers of rows may be added up in another order.
    np.testing.assert_allclose(predicted, model.predict(X, batch_size=60, verbose=0), rtol=1e-5, atol=1e-6)


def test_trees_of_outputs_are_cut_too(backend: Backend) -> None:
    x = Input((3,))
    model = Model(x, {"a": layers.Dense(2)(x), "b": layers.Reshape((3, 1))(x)})
    predicted = model.predict(X, batch_size=16, verbose=0)
    assert {name: part.shape for name, part in predicted.items()} == {"a": (60, 2), "b": (60, 3, 1)}
    np.testing.assert_array_equal(predicted["b"][..., 0], X)


def test_samples_that_know_of_each_other_are_left_alone(backend: Backend, rows: list[int]) -> None:
    model = Sequential([Input((3,)), layers.Lambda(lambda x: x - ops.mean(x, axis=0))])
    predicted = model.predict(X, batch_size=16, verbose=0)
    assert rows == [16, 16, 16, 12]
    np.testing.assert_allclose(predicted[48:], X[48:] - X[48:].mean(0), rtol=1e-5, atol=1e-6)


def test_callbacks_see_what_counts(backend: Backend) -> None:
    seen: list[int] = []

    class Watching(callbacks.Callback):
        def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append(len(logs["outputs"]))

    model = Sequential([Input((3,)), layers.Dense(2)])
    assert model.predict(X, batch_size=16, verbose=0, callbacks=[Watching()]).shape == (60, 2)
    assert seen == [16, 16, 16, 12]
