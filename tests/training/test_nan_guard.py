"""The guard that says where a number first stopped being one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops
from polykeras.backend import Backend
from polykeras.training.steps import CompiledStep

X = np.linspace(-1, 1, 64, dtype="float32").reshape(32, 2)
Y = X.sum(axis=1, keepdims=True)


@pytest.fixture(autouse=True)
def guard() -> Iterator[None]:
    keras.config.set_nan_guard(True)
    yield
    keras.config.set_nan_guard(False)


class Root(layers.Layer):
    """A layer that is nan for inputs below zero."""

    def call(self, x: Any) -> Any:
        return ops.sqrt(x)


def _state(model: Any) -> list[np.ndarray]:
    return [v.numpy() for v in (*model.variables, *model.optimizer.variables)]


def _unchanged(model: Any, before: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(_state(model), before, strict=True))


def test_the_first_bad_layer_is_named(backend: Backend) -> None:
    model = keras.Sequential([keras.Input((2,)), layers.Dense(3, name="first"), Root(name="root"), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.optimizer.build(model.trainable_variables)
    model.get_layer("first").set_weights([np.ones((2, 3)), np.zeros(3)])  # negative rows give negative sums
    before = _state(model)
    with pytest.raises(FloatingPointError) as caught:
        model.fit(X, Y, batch_size=8, verbose=0, shuffle=False)
    text = str(caught.value)
    assert "Step 0 of the epoch (the first is 0), of model" in text
    assert "the output of layer 'root' (Root) has" in text
    assert "its inputs lie from -" in text
    assert _unchanged(model, before)
    model.fit(np.abs(X), np.abs(Y), batch_size=8, verbose=0)  # with better data it goes on


def test_the_step_within_a_chunk_is_found(backend: Backend) -> None:
    model = keras.Sequential([keras.Input((1,)), Root(name="root"), layers.Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=10)
    x = np.ones((40, 1), "float32")
    x[27] = -1.0
    with pytest.raises(FloatingPointError, match=r"Step 6 of the epoch \(the first is 0\).*layer 'root'"):
        model.fit(x, x, batch_size=4, verbose=0, shuffle=False)
    assert int(model.optimizer.iterations) == 6


def test_steps_are_counted_from_the_beginning_of_the_epoch(backend: Backend, tmp_path: Any) -> None:
    """In each pass over the data anew, and also where a run goes on within one."""
    model = keras.Sequential([keras.Input((1,)), Root(name="root"), layers.Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=2)
    x = np.ones((40, 1), "float32")
    model.fit(x, x, batch_size=4, epochs=2, verbose=0, shuffle=False)
    x[29] = -1.0
    for _ in range(2):  # the second run goes on after four steps
        backup = keras.callbacks.BackupAndRestore(tmp_path, save_freq=4)
        with pytest.raises(FloatingPointError, match=r"Step 7 of the epoch \(the first is 0\).*layer 'root'"):
            model.fit(x, x, batch_size=4, verbose=0, shuffle=False, callbacks=[backup])


def test_gradients_and_updates_are_named(backend: Backend) -> None:
    class Cusp(layers.Layer):
        """Finite at zero, where its slope is not."""

        def build(self, input_shape: Any) -> None:
            self.scale = self.add_weight((), "zeros", name="scale")

        def call(self, x: Any) -> Any:
            return x * ops.sqrt(self.scale)

    model = keras.Sequential([keras.Input((2,)), Cusp(name="cusp"), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(FloatingPointError, match="outputs and the loss are finite, and the gradient of '.*cusp/scale'"):
        model.fit(X, Y, verbose=0)

    model = keras.Sequential([keras.Input((2,)), layers.Dense(1, name="dense")])
    model.compile(keras.optimizers.SGD(1e38), "mse")
    with pytest.raises(
        FloatingPointError, match="all that was looked at is finite, and after the update .*dense/.*learning rate"
    ):
        model.fit(X * 1e3, Y * 1e3, verbose=0)


def test_bad_data_are_named(backend: Backend) -> None:
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    keras.config.set_check_data(False)
    try:
        x = X.copy()
        x[3, 1] = np.inf
        with pytest.raises(FloatingPointError, match="data are not finite: input has 0 nan and 1 infinite"):
            model.fit(x, Y, verbose=0)
    finally:
        keras.config.set_check_data(True)


def test_training_is_the_same_with_and_without_it(backend: Backend) -> None:
    def train() -> list[np.ndarray]:
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((2,)), layers.Dense(8, "relu"), layers.Dropout(0.5), layers.Dense(1)])
        model.compile("adam", "mse", metrics=["mae"])
        history = model.fit(X, Y, batch_size=5, epochs=3, verbose=0).history
        return [*_state(model), np.asarray(history["loss"])]

    guarded = train()
    keras.config.set_nan_guard(False)
    for a, b in zip(guarded, train(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_streams_partial_batches_and_plain_python_are_counted_alike(backend: Backend) -> None:
    x = np.ones((38, 1), "float32")
    x[37] = -1.0

    def batches() -> Iterator[Any]:
        for i in range(0, 38, 4):
            yield x[i : i + 4], x[i : i + 4]

    for eagerly in (False, True):
        for data, arguments in ((batches(), {}), (x, {"y": x, "batch_size": 4, "shuffle": False})):
            model = keras.Sequential([keras.Input((1,)), Root(name="root"), layers.Dense(1)])
            model.compile("sgd", "mse", run_eagerly=eagerly)
            with pytest.raises(FloatingPointError, match=r"Step 9 of the epoch \(the first is 0\).*layer 'root'"):
                model.fit(data, verbose=0, **arguments)
            assert int(model.optimizer.iterations) == 9


def test_the_bad_step_of_a_stream_is_found_within_a_pack(backend: Backend) -> None:
    """Rows of 16 float32 fill cache lines, so that steps use a pack where it lies."""
    x = np.ones((60, 4, 16), "float32")
    x[23, 2] = -1.0
    model = keras.Sequential([keras.Input((16,)), Root(name="root"), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(FloatingPointError, match=r"Step 23 of the epoch \(the first is 0\).*layer 'root'"):
        model.fit(((batch, batch[:, :1]) for batch in x), verbose=0)
    assert int(model.optimizer.iterations) == 23


def test_a_step_of_ones_own_is_looked_into(backend: Backend) -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.weight = self.add_weight((), "ones", name="weight")

        def train_step(self, data: Any) -> dict[str, Any]:
            self.weight.assign(self.weight * 1e30)
            return {"weight": self.weight}

    model = Own()
    model.compile("sgd")
    with pytest.raises(FloatingPointError, match="after the update 1 of 1 numbers in 'own.*/weight'"):
        model.fit(X, verbose=0, epochs=3, batch_size=8)


class Mask(layers.Layer):
    """Adds a weight that is not finite on purpose, and takes its largest numbers."""

    def build(self, input_shape: Any) -> None:
        self.mask = self.add_weight((2,), lambda shape, dtype=None: np.array([0, -np.inf], dtype), trainable=False)

    def call(self, x: Any) -> Any:
        return ops.max(x + self.mask, axis=-1, keepdims=True)


def test_what_is_infinite_on_purpose_stops_nothing(backend: Backend) -> None:
    model = keras.Sequential([keras.Input((2,)), Mask(), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=8, verbose=0)
    assert np.isinf(model.layers[0].get_weights()[0]).any()
    with pytest.raises(FloatingPointError, match="the data are not finite: label"):
        model.fit(X, np.full_like(Y, np.inf), batch_size=8, verbose=0)


def test_weights_that_were_bad_before_are_named(backend: Backend) -> None:
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1, name="d")], name="s")
    model.compile("sgd", "mse")
    model.get_layer("d").set_weights([np.array([[np.nan], [1.0]]), np.zeros(1)])
    with pytest.raises(FloatingPointError, match="1 of the numbers in 's/d/kernel' were not finite before the step"):
        model.fit(X, Y, batch_size=8, verbose=0)


@pytest.mark.counts_runs
def test_off_it_costs_nothing(backend: Backend) -> None:
    """The step is then the one that there would be without a guard, and the only one."""
    keras.config.set_nan_guard(False)
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=8, verbose=0)
    assert [type(step) for step in model._steps.values()] == [CompiledStep]
    keras.config.set_nan_guard(True)
    model.fit(X, Y, batch_size=8, verbose=0)
    assert [type(step) for step in model._steps.values()] != [CompiledStep]
