"""The experiments that every backend repeats: models, data and the way they are trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits

import polykeras as keras
from polykeras import layers


def cancer_data() -> tuple[np.ndarray, np.ndarray]:
    """Return the breast-cancer data, standardized: 569 samples of 30 features."""
    data = load_breast_cancer()
    return ((data.data - data.data.mean(0)) / data.data.std(0)).astype("float32"), data.target


def cancer_model() -> keras.Model:
    """Return the first experiment: dropout, two activations, SGD with momentum."""
    model = keras.Sequential(
        [
            keras.Input((30,)),
            layers.Dense(32, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(10, activation="tanh"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "binary_crossentropy")
    return model


def digits_data() -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's digits: 1,797 images of 8 x 8 pixels."""
    digits = load_digits()
    return (digits.images / 16.0).astype("float32")[..., None], digits.target


def digits_model(activation: str = "tanh", pooling: Any = layers.AveragePooling2D) -> keras.Model:
    """Return the second experiment: convolution, batch normalization, pooling, dropout, Adam.

    The convolution has no bias: before batch normalization its gradient is 0 in theory, rounding noise in practice, and
    Adam makes steps of full size out of noise. Activation and pooling have no kinks: `test_same_seed` says why.
    """
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.Activation(activation),
            pooling(),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(32, activation=activation),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def kinked_digits_model() -> keras.Model:
    """Return the second experiment with relu and max pooling."""
    return digits_model("relu", layers.MaxPooling2D)


@dataclass(frozen=True)
class Run:
    """What a training gave: losses by epoch, the weights at the beginning and at the end, predictions."""

    losses: np.ndarray
    initial: list[np.ndarray]
    final: list[np.ndarray]
    predictions: np.ndarray


def train(
    backend: Any, make: Callable[[], keras.Model], data: tuple[Any, Any], epochs: int, seed: int = 0, batch: int = 32
) -> Run:
    """Train a model from a seed on a backend."""
    with keras.use_backend(backend):
        keras.utils.set_random_seed(seed)
        model = make()
        initial = model.get_weights()
        history = model.fit(*data, epochs=epochs, batch_size=batch, verbose=0).history
        predictions = model.predict(data[0], verbose=0)
    return Run(np.array(history["loss"]), initial, model.get_weights(), predictions)


def worst(losses: Any, reference: Any) -> float:
    """Return the greatest relative difference of two curves."""
    return float(np.max(np.abs(np.asarray(losses) / np.asarray(reference) - 1)))
