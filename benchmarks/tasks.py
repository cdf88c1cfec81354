"""What is measured: eleven models, each with data and the way it is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import models

LOSSES = {"binary": "binary_crossentropy", "classes": "sparse_categorical_crossentropy", "squares": "mse"}


@dataclass(frozen=True)
class Task:
    """A model with data and the way it is trained.

    Attributes:
        label: what the tables say.
        model: `model(k)` returns the model, not compiled, for `k` being Keras or polykeras.
        inputs: `inputs(rng, rows)` returns the data: an array, or a dict of them.
        loss: "binary" or "classes" (cross-entropies), or "squares" (the mean square, of the model's input).
        optimizer: "sgd", "momentum" (0.9) or "adam".
        rate: the learning rate.
        batch: samples in a step.
        steps: steps in an epoch.
        has_dropout: whether `model` takes the rate of its dropout as `rate`.
    """

    label: str
    model: Callable[..., Any]
    inputs: Callable[[np.random.Generator, int], Any]
    loss: str
    optimizer: str
    rate: float
    batch: int
    steps: int
    has_dropout: bool = False

    def data(self, steps: int | None = None) -> tuple[Any, np.ndarray]:
        """Return `(x, y)` for an epoch, or for `steps` steps."""
        rng = np.random.default_rng(0)
        rows = self.batch * (steps or self.steps)
        x = self.inputs(rng, rows)
        if self.loss == "squares":
            return x, x
        if self.loss == "binary":
            return x, rng.integers(2, size=(rows, 1)).astype("float32")
        return x, rng.integers(10, size=rows).astype("int32")

    def build(self, k: Any, dropout: bool = True) -> Any:
        """Return the compiled model for `k`; without `dropout`, rates are 0 and the losses can be compared."""
        model = self.model(k, rate=0.0) if self.has_dropout and not dropout else self.model(k)
        optimizers = {
            "sgd": lambda: k.optimizers.SGD(self.rate),
            "momentum": lambda: k.optimizers.SGD(self.rate, momentum=0.9),
            "adam": lambda: k.optimizers.Adam(self.rate),
        }
        model.compile(optimizer=optimizers[self.optimizer](), loss=LOSSES[self.loss])
        return model

    def initial_weights(self) -> list[np.ndarray]:
        """Return the weights from which everybody begins."""
        return models.initial_weights(self.model)


def _normal(*shape: int) -> Callable[[np.random.Generator, int], np.ndarray]:
    return lambda rng, rows: rng.normal(size=(rows, *shape)).astype("float32")


def _uniform(*shape: int) -> Callable[[np.random.Generator, int], np.ndarray]:
    return lambda rng, rows: rng.uniform(size=(rows, *shape)).astype("float32")


def _words(length: int, vocabulary: int) -> Callable[[np.random.Generator, int], np.ndarray]:
    return lambda rng, rows: rng.integers(vocabulary, size=(rows, length)).astype("int32")


def _words_and_numbers(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    return {"words": _words(4, 1000)(rng, rows), "numbers": _normal(32)(rng, rows)}


TASKS = {
    "mlp": Task("MLP 784-32-10-1, SGD, batch 32", models.mlp, _normal(784), "binary", "sgd", 0.01, batch=32, steps=400),
    "wide": Task(
        "MLP 784-512-512-10, dropout, Adam, batch 128",
        models.wide,
        _normal(784),
        "classes",
        "adam",
        1e-3,
        batch=128,
        steps=60,
        has_dropout=True,
    ),
    "conv": Task(
        "conv 28x28 (32, 64), Adam, batch 128",
        models.conv,
        _normal(28, 28, 1),
        "classes",
        "adam",
        1e-3,
        batch=128,
        steps=12,
    ),
    "lstm": Task(
        "LSTM 80x64, Adam, batch 32", models.lstm, _normal(80, 64), "binary", "adam", 1e-3, batch=32, steps=40
    ),
    "deep": Task("MLP 20 x 32, Adam, batch 32", models.deep, _normal(32), "binary", "adam", 1e-3, batch=32, steps=150),
    "autoencoder": Task(
        "autoencoder 784-128-32-128-784, Adam, batch 128",
        models.autoencoder,
        _uniform(784),
        "squares",
        "adam",
        1e-3,
        batch=128,
        steps=100,
    ),
    "two_inputs": Task(
        "embedding and numbers, Adam, batch 64",
        models.two_inputs,
        _words_and_numbers,
        "binary",
        "adam",
        1e-3,
        batch=64,
        steps=300,
    ),
    "text_cnn": Task(
        "text CNN 128x64 (64), Adam, batch 32", models.text_cnn, _words(128, 5000), "binary", "adam", 1e-3, 32, 50
    ),
    "gru": Task("GRU 80x64, Adam, batch 32", models.gru, _normal(80, 64), "binary", "adam", 1e-3, batch=32, steps=40),
    "transformer": Task(
        "transformer block 32x64, Adam, batch 32",
        models.transformer,
        _normal(32, 64),
        "classes",
        "adam",
        1e-3,
        batch=32,
        steps=80,
    ),
    "batch_norm": Task(
        "conv 28x28 (16, 32), batch norm, momentum, batch 64",
        models.batch_norm,
        _normal(28, 28, 1),
        "classes",
        "momentum",
        0.05,
        batch=64,
        steps=30,
    ),
}
FIRST_FOUR = tuple(TASKS)[:4]
