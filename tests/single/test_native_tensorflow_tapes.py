"""Every way to use a tape over our variables: eager, in a `tf.function`, and in a `train_step` that `fit` runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polykeras import layers, losses, metrics, models, optimizers

tf = pytest.importorskip("polykeras_tensorflow.backend").tf
pytestmark = [pytest.mark.needs("tensorflow"), pytest.mark.usefixtures("on_tensorflow")]

X = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


def by_tapes(layer: Any, x: Any) -> dict[str, Any]:
    """Return gradients of a dense layer without an activation, by a persistent tape around one that only watches."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        with tf.GradientTape(watch_accessed_variables=False) as inner:
            inner.watch(layer.kernel)
            y = layer(x)
            squares = tf.reduce_sum(y * y)
        slope = inner.gradient(squares, layer.kernel)
        penalty = tf.reduce_sum(slope * slope)
    return {
        "inner": slope,
        "one variable": tape.gradient(squares, layer.bias),
        "input": tape.gradient(squares, x),
        "nested": tape.gradient(penalty, layer.kernel),
        "jacobian": tape.jacobian(y, layer.bias),
    }


def by_hand(kernel: Any, x: Any) -> dict[str, Any]:
    y, products = x @ kernel, x.T @ x
    return {
        "inner": 2 * products @ kernel,
        "one variable": 2 * y.sum(0),
        "input": 2 * y @ kernel.T,
        "nested": 8 * products @ products @ kernel,
        "jacobian": np.tile(np.eye(2, dtype="float32"), (len(x), 1, 1)),
    }


class Reports(models.Model):
    """Logs the sum of what tapes give, and trains by the one around all."""

    def train_step(self, data: Any) -> Any:
        x, _ = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(self(x) ** 2)
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        found = by_tapes(self.layers[-1], tf.convert_to_tensor(x))
        return {name: tf.reduce_sum(tf.convert_to_tensor(g)) for name, g in found.items()}


@pytest.mark.parametrize("place", ["eager", "function", "fit", "fit eagerly"])
def test_tapes(place: str) -> None:
    inputs = layers.Input((3,))
    model = Reports(inputs, layers.Dense(2)(inputs))
    layer = model.layers[-1]
    if place.startswith("fit"):
        model.compile(optimizers.SGD(0.01), run_eagerly=place == "fit eagerly")
        before = layer.kernel.numpy()
        found = {name: v[0] for name, v in model.fit(X, Y, batch_size=6, verbose=0).history.items()}
        assert np.abs(layer.kernel.numpy() - before).max() > 0
        bias = layer.bias.numpy()
        layer.bias.assign(np.zeros(2))  # the formulas are for a bias of zero
        layer.kernel.assign(before)
        model.compile(optimizers.SGD(0.0))
        found = {name: v[0] for name, v in model.fit(X, Y, batch_size=6, verbose=0).history.items()}
        assert np.abs(bias).max() > 0
        expected = {name: value.sum() for name, value in by_hand(before, X).items()}
    else:
        run = tf.function(by_tapes) if place == "function" else by_tapes
        found = run(layer, tf.constant(X))
        expected = by_hand(layer.kernel.numpy(), X)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-4, err_msg=name)


def by_compute_loss(model: Any, x: Any, y: Any) -> tuple[Any, Any]:
    y_pred = model(x, training=True)
    loss = model.compute_loss(x=x, y=y, y_pred=y_pred)
    return loss, model.compute_metrics(x, y, y_pred)["mae"]


def check_eager_code_and_a_function(model: Any, forward: Any) -> None:
    """Train a model by a tape around what gives its loss and its metric, in eager code and in a `tf.function`."""

    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss, mae = forward(model, x, y)
        variables = model.trainable_variables
        model.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss, mae

    weights = model.get_weights()
    runs = []
    for run in (step, tf.function(step)):
        model.set_weights(weights)
        model.compile(optimizers.Adam(0.1), losses.MeanSquaredError(), metrics=[metrics.MeanAbsoluteError(name="mae")])
        runs.append([[float(v) for v in run(tf.constant(X), tf.constant(Y))] for _ in range(10)])
    np.testing.assert_allclose(runs[1], runs[0], rtol=1e-4)
    assert runs[0][-1][0] < 0.5 * runs[0][0][0]


def test_a_loop_with_the_losses_and_metrics_of_compile_in_a_function() -> None:
    """What older loops use of a compiled model outside of `fit`."""
    check_eager_code_and_a_function(models.Sequential([layers.Input((3,)), layers.Dense(1)]), by_compute_loss)


class Older(models.Model):
    """A model with a loss as Keras 2 signed it."""

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None) -> Any:
        return 2.0 * super().compute_loss(x, y, y_pred, sample_weight)


def by_compiled_loss(model: Any, x: Any, y: Any) -> tuple[Any, Any]:
    y_pred = model(x, training=True)
    loss = model.compiled_loss(y, y_pred, regularization_losses=model.losses)
    model.compiled_metrics.update_state(y, y_pred)
    return loss, model.compiled_metrics.result()["mae"]


def by_older_signature(model: Any, x: Any, y: Any) -> tuple[Any, Any]:
    y_pred = model(x, training=True)
    loss = model.compute_loss(x, y, y_pred)
    return loss, model.compute_metrics(x, y, y_pred)["mae"]


@pytest.mark.parametrize("forward", [by_compiled_loss, by_older_signature])
def test_loops_with_what_keras_2_had_in_eager_code_and_in_functions(forward: Any) -> None:
    inputs = layers.Input((3,))
    check_eager_code_and_a_function(Older(inputs, layers.Dense(1, kernel_regularizer="l2")(inputs)), forward)
