"""Steps of one's own: `train_step` and `test_step` of a subclass, eager runs, steps by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import Input, Model, Sequential, layers, ops
from polykeras.backend import Backend
from polykeras.optimizers import schedules
from training.linear import X, Y, linear


class OwnStep(Sequential):
    """The training step written by hand, with two metrics of its own."""

    def __init__(self, parts: Any) -> None:
        super().__init__(parts)
        self.mean = polykeras.metrics.Mean(name="mean")
        self.largest = polykeras.metrics.Mean(name="largest")

    def train_step(self, data: Any) -> Any:
        x, y = data[0], data[1]

        def loss() -> Any:
            return ops.mean(ops.square(self(x, training=True) - y))

        value, gradients = polykeras.value_and_grad(loss, self.trainable_variables)()
        self.optimizer.apply(gradients, self.trainable_variables)
        self.mean.update_state(value)
        self.largest.update_state(ops.max(ops.abs(y)))
        return {"mean": self.mean.result(), "largest": self.largest.result()}


@pytest.mark.parametrize("eagerly", [False, True])
def test_a_train_step_of_ones_own(backend: Backend, eagerly: bool) -> None:
    model = OwnStep([layers.Dense(1, input_dim=3, kernel_initializer="ones")])
    model.compile(polykeras.optimizers.SGD(0.1), run_eagerly=eagerly)
    history = model.fit(X, Y, batch_size=20, epochs=3, shuffle=False, verbose=0).history
    reference = linear()
    expected = reference.fit(X, Y, batch_size=20, epochs=3, shuffle=False, verbose=0).history["loss"]
    assert list(history) == ["largest", "mean"]
    np.testing.assert_allclose(history["mean"], expected, rtol=1e-5)
    np.testing.assert_allclose(model.get_weights()[0], reference.get_weights()[0], rtol=1e-5)
    sizes = [np.abs(Y[:20]).max(), np.abs(Y[20:]).max()]
    np.testing.assert_allclose(history["largest"], [np.mean(sizes)] * 3, rtol=1e-5)  # reset at each epoch


def test_two_optimizers_and_a_schedule(backend: Backend) -> None:
    class Game(Model):
        def __init__(self) -> None:
            super().__init__()
            self.first = layers.Dense(1, kernel_initializer="ones")
            self.second = layers.Dense(1, kernel_initializer="ones")

        def compile(self, first: Any, second: Any) -> None:
            super().compile()
            self.first_optimizer, self.second_optimizer = first, second

        def train_step(self, data: Any) -> Any:
            x, y = data[:2]
            for part, optimizer in ((self.first, self.first_optimizer), (self.second, self.second_optimizer)):
                loss, gradients = (
                    polykeras.value_and_grad(
                        lambda part=part: ops.mean(ops.square(part(x) - y)), part.trainable_variables
                    )()
                    if part.built
                    else (part(x), None)
                )
                if gradients is not None:
                    optimizer.apply(gradients, part.trainable_variables)
            return {"loss": ops.mean(loss)}

    game = Game()
    game.first.build((None, 3))
    game.second.build((None, 3))
    rate = schedules.ExponentialDecay(0.1, 1, 0.5)
    game.compile(polykeras.optimizers.SGD(0.1), polykeras.optimizers.SGD(rate, momentum=0.9))
    game.fit(X, Y, batch_size=20, shuffle=False, epochs=2, verbose=0)
    reference = linear()
    reference.fit(X, Y, batch_size=20, shuffle=False, epochs=2, verbose=0)
    np.testing.assert_allclose(game.first.kernel.numpy(), reference.get_weights()[0], rtol=1e-5)
    assert (int(game.first_optimizer.iterations), int(game.second_optimizer.iterations)) == (4, 4)


def test_run_eagerly_sees_values(backend: Backend) -> None:
    seen = []

    class Curious(Sequential):
        def train_step(self, data: Any) -> Any:
            logs = super().train_step(data)
            try:
                seen.append(float(ops.convert_to_numpy(logs["loss"])))
            except TypeError:  # on shapes alone, before the first step
                seen.append(None)
            return logs

    model = Curious([layers.Dense(1, input_dim=3)])
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(X, Y, batch_size=20, epochs=2, verbose=0)
    assert [type(v) for v in seen if v is not None] == [float] * 4


def test_a_step_called_by_hand_sees_the_model_as_it_is_now(backend: Backend) -> None:
    model = Sequential([layers.Dense(2, input_dim=3), layers.Dense(1)])
    model.compile(polykeras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    model.fit(X, Y, verbose=0)
    model.layers[0].trainable = False
    before = model.get_weights()
    batch = tuple(map(backend.asarray, (X, Y)))
    logs = model.train_step(batch)
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert changed == [False, False, True, True]
    model.compile("sgd", "mae")
    assert list(logs) == ["loss", "mae"]
    assert list(model.test_step(batch)) == ["loss"]


def test_layers_keep_no_values_of_a_compiled_step(backend: Backend) -> None:
    class Penalty(layers.Layer):
        def call(self, inputs: Any) -> Any:
            self.add_loss(ops.mean(inputs))
            return inputs

    model = Sequential([layers.Dense(1, input_dim=3), Penalty()])
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    assert model.losses == []
    model(X)
    assert float(ops.convert_to_numpy(model.losses[0])) == pytest.approx(
        float(model.predict(X, verbose=0).mean()), rel=1e-4
    )


class AsksForMetrics(Model):
    """A step as Keras's guides write it, which updates the metrics of `compile` by itself."""

    def train_step(self, data: Any) -> Any:
        x, y = data

        def loss() -> Any:
            return ops.mean(ops.square(self(x, training=True) - y))

        value, gradients = polykeras.value_and_grad(loss, self.trainable_variables)()
        self.optimizer.apply(gradients, self.trainable_variables)
        return self.updated(value, y, self(x, training=False))

    def test_step(self, data: Any) -> Any:
        x, y = data
        y_pred = self(x, training=False)
        return self.updated(self.compute_loss(y=y, y_pred=y_pred, training=False), y, y_pred)

    def updated(self, loss: Any, y: Any, y_pred: Any) -> dict[str, Any]:
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}


@pytest.mark.parametrize("first", ["fit", "evaluate"])
def test_metrics_by_name_are_there_for_a_step_that_asks_for_them(backend: Backend, first: str) -> None:
    x = polykeras.Input((3,))
    model = AsksForMetrics(x, layers.Dense(1, kernel_initializer="ones")(x))
    model.compile(polykeras.optimizers.SGD(0.0), "mse", metrics=["mae", "mean_squared_error"])
    error = X.sum(axis=1, keepdims=True) - Y
    if first == "evaluate":
        values = model.evaluate(X, Y, verbose=0, return_dict=True)
    else:
        values = {name: v[-1] for name, v in model.fit(X, Y, epochs=2, verbose=0, batch_size=len(X)).history.items()}
    assert values.keys() == {"loss", "mae", "mean_squared_error"}
    assert values["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-5)
    assert values["mean_squared_error"] == pytest.approx(np.square(error).mean(), rel=1e-5)
    assert list(model.train_on_batch(X, Y, return_dict=True)) == ["mae", "mean_squared_error", "loss"]


class Boxes(Model):
    """Its loss takes labels that stand for others, as those of detectors do."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = layers.Dense(3, activation="softmax")

    def call(self, x: Any) -> Any:
        return {"scores": self.scores(x)}

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *args: Any, **kwargs: Any) -> Any:
        return super().compute_loss(x, {"scores": ops.maximum(y["classes"], 0)}, y_pred, *args, **kwargs)


def test_labels_of_ones_own_loss_may_have_any_form(backend: Backend) -> None:
    model = Boxes()
    model.compile("sgd", {"scores": "sparse_categorical_crossentropy"})
    x, y = np.ones((4, 2), "float32"), {"classes": np.array([0, -1, 2, 1])}
    assert list(model.fit(x, y, verbose=0).history) == ["loss"]
    assert np.isfinite(model.train_on_batch(x, y))


def test_labels_of_a_step_that_passes_them_on_are_checked(backend: Backend) -> None:
    class Passing(Sequential):
        def train_step(self, data: Any) -> Any:
            return super().train_step(data)

    model = Passing([Input((2,)), layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="7"):
        model.fit(np.ones((4, 2)), np.array([0, 1, 2, 7]), verbose=0)
