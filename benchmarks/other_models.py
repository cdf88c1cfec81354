"""Models that nobody tuned anything for, each with its data and the way it is trained: against Keras alone.

Each is built by one code for Keras and polykeras, as those of `benchmarks.models` are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import models


@dataclass(frozen=True)
class OtherTask:
    """A model with data and the way it is trained.

    Attributes:
        label: what the tables say.
        model: `model(k, rate)` returns the model, not compiled; `rate` is that of its dropout, where it has any.
        compiled: `compiled(k)` returns the arguments of `compile`.
        inputs: `inputs(rng, rows)` returns the data.
        classes: of the labels; two are floats of shape (rows, 1).
        rows: samples in an epoch.
        batch: samples in a step; what is left over makes a smaller last one.
        weighted: whether samples have weights.
    """

    label: str
    model: Callable[[Any, float], Any]
    compiled: Callable[[Any], dict[str, Any]]
    inputs: Callable[[np.random.Generator, int], np.ndarray]
    classes: int
    rows: int
    batch: int
    weighted: bool = False

    @property
    def steps(self) -> int:
        """Steps in an epoch, a smaller last one included."""
        return -(-self.rows // self.batch)

    def data(self) -> dict[str, Any]:
        """Return the arguments of `fit` that say what is trained on."""
        rng = np.random.default_rng(0)
        given: dict[str, Any] = {"x": self.inputs(rng, self.rows), "batch_size": self.batch}
        labels = rng.integers(self.classes, size=self.rows)
        given["y"] = labels.astype("int32") if self.classes > 2 else labels[:, None].astype("float32")
        if self.weighted:
            given["sample_weight"] = rng.uniform(0.5, 1.5, self.rows).astype("float32")
        return given

    def build(self, k: Any, dropout: bool = True) -> Any:
        """Return the compiled model for `k`, its weights made; without `dropout` the losses can be compared."""
        model = self.model(k, 0.2 if dropout else 0.0)
        model.compile(**self.compiled(k))
        if not model.built:  # a class of one's own learns its shapes from data
            model(self.inputs(np.random.default_rng(0), 2))
        return model

    def initial_weights(self) -> list[np.ndarray]:
        """Return the weights from which everybody begins."""
        return models.initial_weights(self.build)


def _masked_gru(k: Any, rate: float) -> Any:
    layers = k.layers
    return k.Sequential(
        [
            k.Input((40,), dtype="int32"),
            layers.Embedding(2000, 32, mask_zero=True),
            layers.Bidirectional(layers.GRU(32)),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def _residual(k: Any, rate: float) -> Any:
    layers = k.layers

    class Residual(k.Model):
        """Three blocks, each added to what it was given; a class in a function, as its base comes with `k`."""

        def __init__(self) -> None:
            super().__init__()
            self.first = layers.Dense(64)
            self.norms = [layers.LayerNormalization() for _ in range(3)]
            self.wide = [layers.Dense(128, activation="gelu") for _ in range(3)]
            self.narrow = [layers.Dense(64) for _ in range(3)]
            self.head = layers.Dense(10, activation="softmax")

        def call(self, inputs: Any) -> Any:
            """Return probabilities of shape (batch, 10)."""
            x = self.first(inputs)
            for norm, wide, narrow in zip(self.norms, self.wide, self.narrow, strict=True):
                x = x + narrow(wide(norm(x)))
            return self.head(x)

    return Residual()


def _separable(k: Any, rate: float) -> Any:
    layers = k.layers
    return k.Sequential(
        [
            k.Input((28, 28, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.AveragePooling2D(2),
            layers.SeparableConv2D(32, 3, activation="relu"),
            layers.AveragePooling2D(2),
            layers.SeparableConv2D(64, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, activation="softmax"),
        ]
    )


def _regularized(k: Any, rate: float) -> Any:
    layers, squares = k.layers, k.regularizers.L2(1e-4)
    hidden = [layers.Dense(width, activation="tanh", kernel_regularizer=squares) for width in (128, 64)]
    return k.Sequential([k.Input((100,)), *hidden, layers.Dense(1, activation="sigmoid", kernel_regularizer=squares)])


def _stacked_lstm(k: Any, rate: float) -> Any:
    layers = k.layers
    return k.Sequential(
        [
            k.Input((30, 16)),
            layers.LSTM(32, return_sequences=True),
            layers.Dropout(rate),
            layers.LSTM(32),
            layers.Dropout(rate),
            layers.Dense(10, activation="softmax"),
        ]
    )


def _numbers(*shape: int) -> Callable[[np.random.Generator, int], np.ndarray]:
    return lambda rng, rows: rng.normal(size=(rows, *shape)).astype("float32")


def _sentences(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Return words of sentences of 5 to 40, zeros after their ends."""
    words, lengths = rng.integers(1, 2000, size=(rows, 40)), rng.integers(5, 41, size=(rows, 1))
    return np.where(np.arange(40) < lengths, words, 0).astype("int32")


def _compiled(loss: str, optimizer: Callable[[Any], Any], *metrics: str) -> Callable[[Any], dict[str, Any]]:
    return lambda k: {"loss": loss, "optimizer": optimizer(k.optimizers), "metrics": list(metrics)}


BINARY, CLASSES = "binary_crossentropy", "sparse_categorical_crossentropy"
OTHERS = {
    "masked_gru": OtherTask(
        "masked bidirectional GRU 40x32, RMSprop, accuracy, batch 32",
        _masked_gru,
        _compiled(BINARY, lambda o: o.RMSprop(1e-3), "accuracy"),
        _sentences,
        classes=2,
        rows=32 * 30,
        batch=32,
    ),
    "residual": OtherTask(
        "subclassed residual blocks, GELU, AdamW, batch 64",
        _residual,
        _compiled(CLASSES, lambda o: o.AdamW(1e-3)),
        _numbers(64),
        classes=10,
        rows=64 * 60,
        batch=64,
    ),
    "separable": OtherTask(
        "separable convolutions 28x28, AdamW, clipnorm, accuracy, batch 64",
        _separable,
        _compiled(CLASSES, lambda o: o.AdamW(1e-3, clipnorm=1.0), "accuracy"),
        _numbers(28, 28, 1),
        classes=10,
        rows=64 * 20,
        batch=64,
    ),
    "regularized": OtherTask(
        "MLP 100-128-64-1, L2, Nadam, sample weights, batch 32, last of 20",
        _regularized,
        _compiled(BINARY, lambda o: o.Nadam(1e-3)),
        _numbers(100),
        classes=2,
        rows=32 * 59 + 20,
        batch=32,
        weighted=True,
    ),
    "stacked_lstm": OtherTask(
        "two LSTMs 30x32, dropout, Adam, batch 32",
        _stacked_lstm,
        _compiled(CLASSES, lambda o: o.Adam(1e-3)),
        _numbers(30, 16),
        classes=10,
        rows=32 * 40,
        batch=32,
    ),
}
