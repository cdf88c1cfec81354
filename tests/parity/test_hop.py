"""One model moves between backends while it trains, as if it had stayed on one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from parity.experiments import cancer_data, worst
from polykeras import layers, ops

TOUR = ("jax", "torch", "tensorflow", "numpy", "jax")
pytestmark = [pytest.mark.needs("jax", "torch", "tensorflow", "numpy"), pytest.mark.whole]


# ---- models ------------------------------------------------------------------------------------------------------


def sequential() -> keras.Model:
    """Return a model with all kinds of state: Adam's slots, batch-norm statistics, dropout's stream, a metric."""
    model = keras.Sequential(
        [
            keras.Input((30,)),
            layers.Dense(16, activation="tanh"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(8, activation="gelu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy", metrics=["accuracy", "auc"])
    return model


def functional() -> keras.Model:
    """Return a graph with a shared layer, a recurrent branch and an optimizer that averages its weights."""
    inputs = keras.Input((30,))
    rows = layers.Reshape((6, 5))(inputs)
    shared = layers.Dense(8, activation="tanh")
    summary = layers.GRU(8)(shared(rows)) + layers.GlobalAveragePooling1D()(shared(rows))
    outputs = layers.Dense(1, activation="sigmoid")(layers.Dropout(0.2)(summary))
    model = keras.Model(inputs, outputs)
    rate = keras.optimizers.schedules.ExponentialDecay(2e-2, 10, 0.9)
    model.compile(keras.optimizers.RMSprop(rate, use_ema=True, ema_overwrite_frequency=20), "binary_crossentropy")
    return model


class Scale(layers.Layer):
    """A user's layer: a gain for each feature, and a count of its calls while training."""

    def build(self, input_shape: Any) -> None:
        self.gain = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="gain")
        self.calls = self.add_weight(shape=(), initializer="zeros", dtype="int32", trainable=False, name="calls")

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training:
            self.calls.assign_add(1)
        return inputs * self.gain


class SignMomentum(keras.optimizers.Optimizer):
    """A user's optimizer with a slot: steps along a softened sign of the mean gradient."""

    def slots(self) -> list[dict[str, float]]:
        return [{"mean": 0.0}]

    def rule(self, gradient: Any, parameter: Any, slots: Any, scalars: Any) -> tuple[Any, ...]:
        mean = slots[0] * 0.9 + gradient * 0.1
        return parameter - scalars[0] * ops.tanh(mean * 100.0), mean


class MeanOutput(keras.metrics.Metric):
    """A user's metric."""

    def __init__(self, name: str = "mean_output") -> None:
        super().__init__(name=name)
        self.total = self.add_weight(shape=(), initializer="zeros", name="total")
        self.count = self.add_weight(shape=(), initializer="zeros", name="count")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.total.assign_add(ops.sum(y_pred))
        self.count.assign_add(float(ops.size(y_pred)))

    def result(self) -> Any:
        return self.total / self.count


class Subclassed(keras.Model):
    """A model with a layer, an optimizer, a loss and a metric of the user's own."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = Scale()
        self.hidden = layers.Dense(8, activation="swish")
        self.drop = layers.Dropout(0.1)
        self.head = layers.Dense(1)

    def call(self, inputs: Any, training: bool = False) -> Any:
        return self.head(self.drop(self.hidden(self.scale(inputs)), training=training))


def squared_error_of_logits(y_true: Any, y_pred: Any) -> Any:
    """Return a loss of a user's own."""
    return ops.mean(ops.square(ops.sigmoid(y_pred) - ops.cast(y_true, "float32")), axis=-1)


def subclassed() -> keras.Model:
    """Return the model of custom objects."""
    model = Subclassed()
    model.compile(SignMomentum(5e-3), squared_error_of_logits, metrics=[MeanOutput()])
    return model


MODELS = [sequential, functional, subclassed]


def data() -> tuple[np.ndarray, np.ndarray]:
    """Return 512 samples: whole batches, so that a step is compiled for one shape only."""
    x, y = cancer_data()
    return x[:512], y[:512]


# ---- tests -------------------------------------------------------------------------------------------------------


def epochs_on(backends: tuple[str, ...], make: Callable[[], keras.Model]) -> tuple[dict[str, list[float]], keras.Model]:
    """Train an epoch on each of the backends; return the curves and the model."""
    x, y = data()
    keras.utils.set_random_seed(1)
    model = make()
    curves: dict[str, list[float]] = {}
    for epoch, name in enumerate(backends):
        with keras.use_backend(name):
            history = model.fit(x, y, epochs=epoch + 1, initial_epoch=epoch, verbose=0).history
        for key, values in history.items():
            curves.setdefault(key, []).extend(values)
    return curves, model


@pytest.mark.parametrize("make", MODELS)
def test_five_epochs_on_a_tour(make: Callable[[], keras.Model]) -> None:
    """Losses and metrics agree to 1e-5, and so does all state."""
    hopped, traveller = epochs_on(TOUR, make)
    stayed, reference = epochs_on(("numpy",) * len(TOUR), make)
    assert hopped.keys() == stayed.keys()
    for name in stayed:
        assert worst(hopped[name], stayed[name]) <= 1e-5, name
    assert traveller.optimizer.iterations.location == "jax"
    pairs = [
        *zip(traveller.variables, reference.variables, strict=True),
        *zip(traveller.optimizer.variables, reference.optimizer.variables, strict=True),
    ]
    for moved, kept in pairs:
        np.testing.assert_allclose(moved.numpy(), kept.numpy(), rtol=1e-4, atol=1e-5, err_msg=kept.path)
        assert not np.issubdtype(kept.numpy().dtype, np.integer) or np.array_equal(moved.numpy(), kept.numpy())


def test_a_move_between_two_batches() -> None:
    """Metrics go on accumulating over the batches, wherever each was run."""
    x, y = data()
    rows = [slice(i, i + 32) for i in range(0, 320, 32)]

    def batches(backends: tuple[str, ...]) -> list[dict[str, float]]:
        keras.utils.set_random_seed(1)
        model = sequential()
        logs = []
        for i, part in enumerate(rows):
            with keras.use_backend(backends[i % len(backends)]):
                logs.append(model.train_on_batch(x[part], y[part], return_dict=True))
        return logs

    hopped, stayed = batches(TOUR), batches(("numpy",))
    for name in ("loss", "accuracy", "auc"):
        assert worst([logs[name] for logs in hopped], [logs[name] for logs in stayed]) <= 1e-5, name
    assert len({logs["accuracy"] for logs in stayed}) > 5


@pytest.mark.parametrize("make", MODELS)
def test_values_move_exactly(make: Callable[[], keras.Model]) -> None:
    """A model trained on one backend predicts on all of them; reading it there changes no bit of it."""
    _, model = epochs_on(("torch",), make)
    before = model.get_weights()
    x, y = data()
    predictions, losses = {}, {}
    for name in TOUR:
        with keras.use_backend(name):
            predictions[name] = model.predict(x[:50], verbose=0)
            losses[name] = model.evaluate(x, y, verbose=0, return_dict=True)["loss"]
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for name in TOUR:
        np.testing.assert_allclose(predictions[name], predictions["torch"], rtol=1e-5, atol=1e-6)
        assert worst(losses[name], losses["torch"]) <= 1e-5


def test_weights_and_configs_cross_over() -> None:
    """A model made from a config on one backend with the weights of another gives its predictions."""
    keras.utils.set_random_seed(1)
    model = functional()
    x = data()[0][:50]
    with keras.use_backend("torch"):
        expected = model.predict(x, verbose=0)
    with keras.use_backend("tensorflow"):
        copy = keras.Model.from_config(model.get_config())
        copy.set_weights(model.get_weights())
        np.testing.assert_allclose(copy.predict(x, verbose=0), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("owner", "trains_on"), [("torch", "jax"), ("jax", "tensorflow"), ("tensorflow", "torch")])
def test_arrays_of_another_backend_are_data(owner: str, trains_on: str) -> None:
    """`fit` takes arrays of any framework, wherever it trains."""
    x, y = data()
    with keras.use_backend(owner):
        native = ops.convert_to_tensor(x), ops.convert_to_tensor(y, "int32")
    losses = []
    with keras.use_backend(trains_on):
        for arrays in (native, (x, y)):
            keras.utils.set_random_seed(1)
            model = keras.Sequential([keras.Input((30,)), layers.Dense(1, activation="sigmoid")])
            model.compile("sgd", "binary_crossentropy")
            losses.append(model.fit(*arrays, verbose=0).history["loss"])
    assert losses[0] == losses[1]
