"""The four models of the comparison, each with data. One code builds them for Keras and for polykeras.

Passing the module `keras` or `polykeras` for `k` is the whole difference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Task:
    """A model with data and the way it is trained.

    Attributes:
        build: `build(k)` returns the model, compiled, for `k` being Keras or polykeras.
        data: returns `(x, y)`.
        batch: samples in a step.
        steps: steps in an epoch.
    """

    build: Callable[[Any], Any]
    data: Callable[[], tuple[np.ndarray, np.ndarray]]
    batch: int
    steps: int


def _vectors(rows: int, width: int, classes: int) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    def make() -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(0)
        x = rng.normal(size=(rows, width)).astype("float32")
        return x, rng.integers(classes, size=rows).astype("int32")

    return make


def _images(rows: int) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    def make() -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(0)
        return rng.normal(size=(rows, 28, 28, 1)).astype("float32"), rng.integers(10, size=rows).astype("int32")

    return make


def _sequences(rows: int) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    def make() -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(0)
        return rng.normal(size=(rows, 80, 64)).astype("float32"), rng.integers(2, size=rows).astype("float32")[:, None]

    return make


def _binary_labels(make: Callable[[], tuple[np.ndarray, np.ndarray]]) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    def changed() -> tuple[np.ndarray, np.ndarray]:
        x, y = make()
        return x, y.astype("float32")[:, None]

    return changed


def _mlp(k: Any) -> Any:
    dense = k.layers.Dense
    model = k.Sequential(
        [
            k.Input((784,)),
            dense(32, activation="sigmoid"),
            dense(10, activation="sigmoid"),
            dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer=k.optimizers.SGD(0.01), loss="binary_crossentropy")
    return model


def _wide(k: Any) -> Any:
    layers = k.layers
    model = k.Sequential(
        [
            k.Input((784,)),
            layers.Dense(512, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(512, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer=k.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy")
    return model


def _conv(k: Any) -> Any:
    layers = k.layers
    model = k.Sequential(
        [
            k.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer=k.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy")
    return model


def _lstm(k: Any) -> Any:
    layers = k.layers
    model = k.Sequential([k.Input((80, 64)), layers.LSTM(64), layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer=k.optimizers.Adam(1e-3), loss="binary_crossentropy")
    return model


TASKS = {
    "mlp": Task(_mlp, _binary_labels(_vectors(32 * 400, 784, 2)), 32, 400),
    "wide": Task(_wide, _vectors(128 * 60, 784, 10), 128, 60),
    "conv": Task(_conv, _images(128 * 12), 128, 12),
    "lstm": Task(_lstm, _sequences(32 * 40), 32, 40),
}
LABELS = {
    "mlp": "MLP 784-32-10-1, SGD, batch 32",
    "wide": "MLP 784-512-512-10, dropout, Adam, batch 128",
    "conv": "conv 28x28 (32, 64), Adam, batch 128",
    "lstm": "LSTM 80x64, Adam, batch 32",
}
