"""What is measured: models, each with data and the way it is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks import models

LOSSES = {"binary": "binary_crossentropy", "classes": "sparse_categorical_crossentropy", "squares": "mse"}
OPTIMIZERS: dict[str, Callable[[Any, float], Any]] = {
    "sgd": lambda optimizers, rate: optimizers.SGD(rate),
    "momentum": lambda optimizers, rate: optimizers.SGD(rate, momentum=0.9),
    "adam": lambda optimizers, rate: optimizers.Adam(rate),
    "rmsprop": lambda optimizers, rate: optimizers.RMSprop(rate),
    "adamw": lambda optimizers, rate: optimizers.AdamW(rate),
    "adamw, clipped": lambda optimizers, rate: optimizers.AdamW(rate, clipnorm=1.0),
    "nadam": lambda optimizers, rate: optimizers.Nadam(rate),
}


@dataclass(frozen=True)
class Task:
    """A model with data and the way it is trained.

    Attributes:
        label: what the tables say.
        model: `model(k)` returns the model, not compiled, for `k` being Keras or polykeras.
        inputs: `inputs(rng, rows)` returns the data: an array, or a dict of them.
        loss: "binary" or "classes" (cross-entropies), or "squares" (the mean square, of the model's input).
        optimizer: one of `OPTIMIZERS`.
        rate: the learning rate.
        batch: samples in a step.
        steps: steps in an epoch.
        missing: so many samples fewer are in the last batch.
        has_dropout: whether `model` takes the rate of its dropout as `rate`.
        metrics: of `compile`.
        weighted: whether samples have weights.
        compiled: more arguments of `compile`.
    """

    label: str
    model: Callable[..., Any]
    inputs: Callable[[np.random.Generator, int], Any]
    loss: str
    optimizer: str
    rate: float
    batch: int
    steps: int
    missing: int = 0
    has_dropout: bool = False
    metrics: tuple[str, ...] = ()
    weighted: bool = False
    compiled: Mapping[str, Any] = field(default_factory=dict)

    def data(self, steps: int | None = None) -> tuple[Any, np.ndarray]:
        """Return `(x, y)` for an epoch, or for `steps` steps."""
        rng = np.random.default_rng(0)
        rows = self.batch * (steps or self.steps) - self.missing
        x = self.inputs(rng, rows)
        if self.loss == "squares":
            return x, x
        if self.loss == "binary":
            return x, rng.integers(2, size=(rows, 1)).astype("float32")
        return x, rng.integers(10, size=rows).astype("int32")

    def fit_arguments(self) -> dict[str, Any]:
        """Return the arguments of `fit` that say what is trained on."""
        x, y = self.data()
        weights = np.random.default_rng(1).uniform(0.5, 1.5, len(y)).astype("float32")
        return {"x": x, "y": y, "batch_size": self.batch} | ({"sample_weight": weights} if self.weighted else {})

    def build(self, k: Any, dropout: bool = True) -> Any:
        """Return the compiled model for `k`; without `dropout`, rates are 0 and the losses can be compared."""
        model = self.model(k, rate=0.0) if self.has_dropout and not dropout else self.model(k)
        optimizer = OPTIMIZERS[self.optimizer](k.optimizers, self.rate)
        model.compile(optimizer=optimizer, loss=LOSSES[self.loss], metrics=list(self.metrics), **self.compiled)
        if not model.built:  # a class of one's own learns its shapes from data
            model(self.inputs(np.random.default_rng(0), 2))
        return model

    def initial_weights(self) -> list[np.ndarray]:
        """Return the weights from which everybody begins: polykeras's own, which no framework has a part in."""
        import polykeras

        with polykeras.use_backend("numpy"):
            polykeras.utils.set_random_seed(0)
            return self.build(polykeras).get_weights()


def _normal(*shape: int) -> Callable[[np.random.Generator, int], np.ndarray]:
    return lambda rng, rows: rng.normal(size=(rows, *shape)).astype("float32")


def _uniform(*shape: int) -> Callable[[np.random.Generator, int], np.ndarray]:
    return lambda rng, rows: rng.uniform(size=(rows, *shape)).astype("float32")


def _words(length: int, vocabulary: int) -> Callable[[np.random.Generator, int], np.ndarray]:
    return lambda rng, rows: rng.integers(vocabulary, size=(rows, length)).astype("int32")


def _words_and_numbers(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    return {"words": _words(4, 1000)(rng, rows), "numbers": _normal(32)(rng, rows)}


def _sentences(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Return words of sentences of 5 to 40, zeros after their ends."""
    words, lengths = rng.integers(1, 2000, size=(rows, 40)), rng.integers(5, 41, size=(rows, 1))
    return np.where(np.arange(40) < lengths, words, 0).astype("int32")


# fmt: off
TASKS = {
    "mlp": Task(
        "MLP 784-32-10-1, SGD, batch 32",
        models.mlp, _normal(784), "binary", "sgd", 0.01, batch=32, steps=400),
    "wide": Task(
        "MLP 784-512-512-10, dropout, Adam, batch 128",
        models.wide, _normal(784), "classes", "adam", 1e-3, batch=128, steps=60, has_dropout=True),
    "conv": Task(
        "conv 28x28 (32, 64), Adam, batch 128",
        models.conv, _normal(28, 28, 1), "classes", "adam", 1e-3, batch=128, steps=12),
    "lstm": Task(
        "LSTM 80x64, Adam, batch 32",
        models.lstm, _normal(80, 64), "binary", "adam", 1e-3, batch=32, steps=40),
    "deep": Task(
        "MLP 20 x 32, Adam, batch 32",
        models.deep, _normal(32), "binary", "adam", 1e-3, batch=32, steps=150),
    "autoencoder": Task(
        "autoencoder 784-128-32-128-784, Adam, batch 128",
        models.autoencoder, _uniform(784), "squares", "adam", 1e-3, batch=128, steps=100),
    "two_inputs": Task(
        "embedding and numbers, Adam, batch 64",
        models.two_inputs, _words_and_numbers, "binary", "adam", 1e-3, batch=64, steps=300),
    "text_cnn": Task(
        "text CNN 128x64 (64), Adam, batch 32",
        models.text_cnn, _words(128, 5000), "binary", "adam", 1e-3, batch=32, steps=50),
    "gru": Task(
        "GRU 80x64, Adam, batch 32",
        models.gru, _normal(80, 64), "binary", "adam", 1e-3, batch=32, steps=40),
    "transformer": Task(
        "transformer block 32x64, Adam, batch 32",
        models.transformer, _normal(32, 64), "classes", "adam", 1e-3, batch=32, steps=80),
    "batch_norm": Task(
        "conv 28x28 (16, 32), batch norm, momentum, batch 64",
        models.batch_norm, _normal(28, 28, 1), "classes", "momentum", 0.05, batch=64, steps=30),
}
OTHERS = {
    "masked_gru": Task(
        "masked bidirectional GRU 40x32, RMSprop, accuracy, batch 32",
        models.masked_gru, _sentences, "binary", "rmsprop", 1e-3, batch=32, steps=30, metrics=("accuracy",)),
    "residual": Task(
        "subclassed residual blocks, GELU, AdamW, batch 64",
        models.residual, _normal(64), "classes", "adamw", 1e-3, batch=64, steps=60),
    "separable": Task(
        "separable convolutions 28x28, AdamW, clipnorm, accuracy, batch 64",
        models.separable, _normal(28, 28, 1), "classes", "adamw, clipped", 1e-3, batch=64, steps=20,
        metrics=("accuracy",)),
    "regularized": Task(
        "MLP 100-128-64-1, L2, Nadam, sample weights, batch 32, last of 20",
        models.regularized, _normal(100), "binary", "nadam", 1e-3, batch=32, steps=60, missing=12, weighted=True),
    "stacked_lstm": Task(
        "two LSTMs 30x32, dropout, Adam, batch 32",
        models.stacked_lstm, _normal(30, 16), "classes", "adam", 1e-3, batch=32, steps=40, has_dropout=True),
}
# fmt: on
FIRST_FOUR = tuple(TASKS)[:4]
