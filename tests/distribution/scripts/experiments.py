"""Experiments whose numbers must not depend on the number of workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import polykeras as keras
from polykeras import layers

Experiment = Callable[[], tuple[keras.Model, dict[str, Any]]]


def _numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def dense() -> tuple[keras.Model, dict[str, Any]]:
    """A dense net with dropout, and accuracy."""
    model = keras.Sequential(
        [layers.Dense(16, activation="relu"), layers.Dropout(0.3), layers.Dense(4, activation="softmax")]
    )
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    x = _numbers(200, 8)
    return model, {"x": x, "y": np.argmax(x[:, :4], 1), "batch_size": 40, "validation_split": 0.2}


def conv() -> tuple[keras.Model, dict[str, Any]]:
    """A conv net with batch norm, and a partial last batch."""
    model = keras.Sequential(
        [
            layers.Conv2D(6, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    x = _numbers(101, 8, 8, 2)
    return model, {"x": x, "y": np.argmax(x.mean((1, 2)) @ _numbers(2, 3), 1), "batch_size": 24}


def lstm() -> tuple[keras.Model, dict[str, Any]]:
    """An LSTM with masks, sample weights and a regularizer."""
    model = keras.Sequential(
        [
            layers.Embedding(20, 8, mask_zero=True),
            layers.LSTM(8, return_sequences=True),
            layers.Dense(20, activation="softmax", kernel_regularizer="l2"),
        ]
    )
    model.compile("rmsprop", "sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
    tokens = np.random.default_rng(2).integers(1, 20, (96, 7))
    tokens[np.arange(7) >= np.random.default_rng(3).integers(2, 8, (96, 1))] = 0
    weights = np.random.default_rng(4).uniform(0.5, 2, 96).astype(np.float32)
    return model, {"x": tokens, "y": np.roll(tokens, -1, 1), "sample_weight": weights, "batch_size": 16}


def auc() -> tuple[keras.Model, dict[str, Any]]:
    """AUC, Adam with clipping, several outputs, and EarlyStopping."""
    inputs = keras.Input((6,))
    hidden = layers.Dense(12, activation="tanh", activity_regularizer=keras.regularizers.L2(1e-3))(inputs)
    outputs = [layers.Dense(1, activation="sigmoid", name="a")(hidden), layers.Dense(2, name="b")(hidden)]
    model = keras.Model(inputs, outputs)
    model.compile(
        keras.optimizers.Adam(0.01, global_clipnorm=0.5),
        ["binary_crossentropy", "mse"],
        metrics=[[keras.metrics.AUC(name="auc")], ["mae"]],
    )
    x = _numbers(160, 6)
    stop = keras.callbacks.EarlyStopping("val_a_auc", mode="max", patience=1)
    labels = [(x[:, :1] > 0).astype(np.float32), x[:, :2] * 0.5]
    return model, {
        "x": x,
        "y": labels,
        "batch_size": 32,
        "callbacks": [stop],
        "validation_data": (x[:50], [y[:50] for y in labels]),
    }


class _OwnStep(keras.Model):
    """A model with a step of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = layers.Dense(8, activation="relu"), layers.Dense(1)
        self.total = keras.metrics.Mean(name="total")
        self.noise = keras.random.SeedGenerator(5)

    def call(self, x: Any) -> Any:
        return self.last(self.first(x))

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        noise = keras.random.normal(keras.ops.shape(y), seed=self.noise)

        def loss() -> Any:
            return keras.ops.mean(keras.ops.square(self(x, training=True) - y - 0.1 * noise))

        value, gradients = keras.value_and_grad(loss, self.trainable_variables)()
        self.optimizer.apply(gradients, self.trainable_variables)
        self.total.update_state(value)
        return {"own": value, "total": self.total.result()}

    @property
    def metrics(self) -> list[Any]:
        return [self.total]


def own_step() -> tuple[keras.Model, dict[str, Any]]:
    """A user's own `train_step`, with random numbers and a metric."""
    model = _OwnStep()
    model.compile(optimizer="adam")
    x = _numbers(96, 5)
    return model, {"x": x, "y": x[:, :1] * x[:, 1:2], "batch_size": 32}


class _Largest(keras.metrics.Metric):
    """A metric of a user, whose state is no sum."""

    def __init__(self) -> None:
        super().__init__(name="largest")
        self.value = self.add_variable((), "zeros", name="value")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.value.assign(keras.ops.maximum(self.value, keras.ops.max(keras.ops.abs(y_pred - y_true))))

    def result(self) -> Any:
        return self.value * 1.0


class _OwnResults(keras.Model):
    """A model that renames its results, and reads a metric in its loss."""

    def __init__(self) -> None:
        super().__init__()
        self.last = layers.Dense(2)
        self.seen = keras.metrics.Sum(name="seen")

    def call(self, x: Any, training: bool = False) -> Any:
        if training:
            self.seen.update_state(keras.ops.ones_like(x[:, 0]))
        return self.last(x)

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        return super().compute_loss(*args, **kwargs) / (1.0 + 0.01 * self.seen.result())

    def get_metrics_result(self) -> dict[str, Any]:
        return {f"own_{name}": value for name, value in super().get_metrics_result().items()}


def own_parts() -> tuple[keras.Model, dict[str, Any]]:
    """A user's own metric, loss and results."""
    model = _OwnResults()
    model.compile("adam", "mse", metrics=[_Largest()])
    x = _numbers(90, 4)
    return model, {"x": x, "y": x[:, :2] * 2, "batch_size": 16, "validation_split": 0.2}


EXPERIMENTS: dict[str, Experiment] = {f.__name__: f for f in (dense, conv, lstm, auc, own_step, own_parts)}
EPOCHS = 5


def run(name: str) -> dict[str, list[float]]:
    """Train and return the history, and a sum over the weights of each layer at the end."""
    keras.utils.set_random_seed(0)
    model, data = EXPERIMENTS[name]()
    history = model.fit(**data, epochs=EPOCHS, verbose=0)
    weights = [float(np.abs(w).sum()) for w in model.get_weights()]
    return {**{k: [float(v) for v in values] for k, values in history.history.items()}, "weights": weights}
