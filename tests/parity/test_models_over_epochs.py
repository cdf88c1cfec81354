"""Kinds of models over a few epochs: every backend gives the curves of the numpy backend.

The greatest relative difference measured in any value of any history (of 144 samples) was 3e-7. The limit is
ten times that. Activations are smooth and poolings averages; `test_same_seed` tells what rounding does at kinks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, optimizers
from polykeras.backend import Backend

EPOCHS = 4
RTOL = 3e-6
SAMPLES = 128  # whole batches: a partial one is compiled by itself, and one case has it
WORDS, STEPS = 20, 7


@dataclass(frozen=True)
class Case:
    """A compiled model and its data.

    Attributes:
        make: returns the model.
        data: returns the arguments of `fit`.
    """

    make: Callable[[], keras.Model]
    data: Callable[[], dict[str, Any]]


# ---- data --------------------------------------------------------------------------------------------------------


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def vectors(samples: int = SAMPLES) -> dict[str, Any]:
    """Return eight features and three classes that depend on them."""
    x = _rng().normal(size=(samples, 8)).astype("float32")
    return {"x": x, "y": np.argmax(x[:, :3] + np.tanh(x[:, 3:6]), axis=1)}


def weighted_vectors() -> dict[str, Any]:
    """Return the same with weights of classes, and a last batch of 16."""
    return vectors(SAMPLES + 16) | {"class_weight": {0: 1.0, 1: 0.5, 2: 2.0}}


def images() -> dict[str, Any]:
    """Return images of 8 x 8 pixels with two channels, of three classes."""
    x = _rng().normal(size=(SAMPLES, 8, 8, 2)).astype("float32")
    return {"x": x, "y": np.argmax(x.mean((1, 2)) @ np.array([[1, 0, -1], [-1, 1, 0.5]]), axis=1)}


def sequences() -> dict[str, Any]:
    """Return sequences of words of different lengths, 0 behind their end, and whether they hold a word."""
    rng = _rng()
    x = rng.integers(1, WORDS, size=(SAMPLES, STEPS))
    x[np.arange(STEPS) >= rng.integers(2, STEPS + 1, size=(SAMPLES, 1))] = 0
    return {"x": x, "y": (x == 3).any(1).astype("float32")[:, None]}


def pairs() -> dict[str, Any]:
    """Return two inputs, two outputs, and weights of samples for each output."""
    rng = _rng()
    a, b = (rng.normal(size=(SAMPLES, n)).astype("float32") for n in (5, 3))
    y = {"size": np.tanh(a[:, :1] * b[:, :1]), "sign": (a[:, :1] + b[:, 1:2] > 0).astype("float32")}
    weights = {"size": rng.uniform(0.5, 1.5, SAMPLES), "sign": rng.uniform(0.5, 1.5, SAMPLES)}
    return {"x": {"a": a, "b": b}, "y": y, "sample_weight": {k: v.astype("float32") for k, v in weights.items()}}


# ---- models ------------------------------------------------------------------------------------------------------


def mlp(optimizer: Any) -> keras.Model:
    """Return a multilayer perceptron."""
    stack = [layers.Dense(12, activation="gelu"), layers.Dropout(0.2), layers.Dense(3, activation="softmax")]
    model = keras.Sequential([keras.Input((8,)), *stack])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def regularized() -> keras.Model:
    """Return one with penalties, a constraint, layer normalization, noise and a second metric."""
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(12, kernel_regularizer="l2", activation="swish"),
            layers.LayerNormalization(),
            layers.GaussianNoise(0.1),
            layers.Dense(8, activity_regularizer=keras.regularizers.L2(1e-3), kernel_constraint="max_norm"),
            layers.Activation("tanh"),
            layers.Dense(3),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy", "sparse_top_k_categorical_accuracy"])
    return model


def convnet() -> keras.Model:
    """Return a network of plain, depthwise and separable convolutions with batch normalization."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(6, 3, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.Activation("gelu"),
            layers.AveragePooling2D(),
            layers.DepthwiseConv2D(3, padding="same", activation="tanh"),
            layers.SeparableConv2D(8, 3, strides=2, activation="tanh"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(optimizers.Adam(1e-2), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def recurrent(*stack: Any) -> keras.Model:
    """Return a network for sequences of words; where they end is masked."""
    model = keras.Sequential([keras.Input((STEPS,), dtype="int32"), layers.Embedding(WORDS, 6, mask_zero=True), *stack])
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(optimizers.RMSprop(1e-2), "binary_crossentropy", metrics=["accuracy"])
    return model


def transformer() -> keras.Model:
    """Return a transformer block over words, functional, with positions and two residual connections."""
    words = keras.Input((STEPS,), dtype="int32")
    x = layers.Embedding(WORDS, 8)(words) + layers.Embedding(STEPS, 8)(keras.ops.arange(STEPS, dtype="int32"))
    attended = layers.MultiHeadAttention(2, 4, dropout=0.1)(x, x)
    x = layers.LayerNormalization()(x + attended)
    hidden = layers.Dense(8)(layers.Dense(16, activation="gelu")(x))
    x = layers.LayerNormalization()(x + hidden)
    outputs = layers.Dense(1, activation="sigmoid")(layers.GlobalAveragePooling1D()(x))
    model = keras.Model(words, outputs)
    model.compile(optimizers.AdamW(1e-2), "binary_crossentropy", metrics=["accuracy", "mse"])
    return model


def two_by_two() -> keras.Model:
    """Return a model of two inputs and two outputs with weighted losses and a layer that both inputs share."""
    a, b = keras.Input((5,), name="a"), keras.Input((3,), name="b")
    shared = layers.Dense(6, activation="tanh")
    joined = layers.Concatenate()([shared(layers.Dense(4)(a)), shared(layers.Dense(4)(b))])
    outputs = {
        "size": layers.Dense(1, name="size")(joined),
        "sign": layers.Dense(1, activation="sigmoid", name="sign")(joined),
    }
    model = keras.Model({"a": a, "b": b}, outputs)
    model.compile(
        optimizers.SGD(0.1, momentum=0.9),
        loss={"size": "mse", "sign": "binary_crossentropy"},
        loss_weights={"size": 2.0, "sign": 0.5},
        metrics={"size": "mae", "sign": "accuracy"},
        weighted_metrics={"size": "mse"},
    )
    return model


OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "sgd": lambda: optimizers.SGD(0.1),
    "nesterov": lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True, clipnorm=0.5),
    "rmsprop": lambda: optimizers.RMSprop(1e-2, momentum=0.5, centered=True),
    "adam": lambda: optimizers.Adam(1e-2, amsgrad=True, global_clipnorm=1.0),
    "adamw": lambda: optimizers.AdamW(1e-2, weight_decay=0.01, use_ema=True, ema_overwrite_frequency=7),
    "adagrad": lambda: optimizers.Adagrad(0.1),
    "adadelta": lambda: optimizers.Adadelta(1.0),
    "adamax": lambda: optimizers.Adamax(1e-2),
    "nadam": lambda: optimizers.Nadam(optimizers.schedules.CosineDecay(2e-2, 20), clipvalue=0.1),
    "ftrl": lambda: optimizers.Ftrl(0.1),
}

CASES = {
    **{f"mlp-{name}": Case(lambda make=make: mlp(make()), vectors) for name, make in OPTIMIZERS.items()},
    "mlp-class-weights": Case(lambda: mlp(optimizers.SGD(0.1)), weighted_vectors),
    "regularized": Case(regularized, vectors),
    "convnet": Case(convnet, images),
    "gru": Case(lambda: recurrent(layers.GRU(8)), sequences),
    "lstm": Case(lambda: recurrent(layers.Bidirectional(layers.LSTM(6, return_sequences=True)), layers.SimpleRNN(4)),
                 sequences),
    "embedding": Case(lambda: recurrent(layers.GlobalAveragePooling1D()), sequences),
    "transformer": Case(transformer, sequences),
    "two-by-two": Case(two_by_two, pairs),
}  # fmt: skip


def history(case: Case, backend: Any) -> dict[str, list[float]]:
    """Train the case on a backend."""
    with keras.use_backend(backend):
        keras.utils.set_random_seed(0)
        return case.make().fit(**case.data(), epochs=EPOCHS, verbose=0).history


@cache
def reference(name: str) -> dict[str, list[float]]:
    """The case on the numpy backend."""
    return history(CASES[name], "numpy")


@pytest.mark.parametrize("name", CASES)
def test_curves_agree(name: str, backend: Backend) -> None:
    expected, got = reference(name), history(CASES[name], backend)
    assert list(got) == list(expected)
    for key, values in expected.items():
        np.testing.assert_allclose(got[key], values, rtol=RTOL, err_msg=key)
    assert got["loss"][-1] < got["loss"][0], "it learns"
