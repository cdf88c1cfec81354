"""Eleven models, each built by one code: passing Keras or polykeras for `k` is all that differs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def initial_weights(make: Callable[[Any], Any]) -> list[np.ndarray]:
    """Return the weights from which everybody begins: polykeras's own, which no framework has a part in.

    Args:
        make: takes polykeras, and returns the model.
    """
    import polykeras

    with polykeras.use_backend("numpy"):
        polykeras.utils.set_random_seed(0)
        return make(polykeras).get_weights()


def mlp(k: Any) -> Any:
    """Return a small multilayer perceptron: the cost of a step is nearly all overhead."""
    dense = k.layers.Dense
    hidden = [dense(32, activation="sigmoid"), dense(10, activation="sigmoid")]
    return k.Sequential([k.Input((784,)), *hidden, dense(1, activation="sigmoid")])


def wide(k: Any, rate: float = 0.2) -> Any:
    """Return a wide perceptron with dropout at `rate`."""
    layers = k.layers
    return k.Sequential(
        [
            k.Input((784,)),
            layers.Dense(512, activation="relu"),
            layers.Dropout(rate),
            layers.Dense(512, activation="relu"),
            layers.Dropout(rate),
            layers.Dense(10, activation="softmax"),
        ]
    )


def conv(k: Any) -> Any:
    """Return two convolutions with pooling."""
    layers = k.layers
    return k.Sequential(
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


def lstm(k: Any) -> Any:
    """Return an LSTM over 80 steps of 64 numbers."""
    return k.Sequential([k.Input((80, 64)), k.layers.LSTM(64), k.layers.Dense(1, activation="sigmoid")])


def deep(k: Any) -> Any:
    """Return twenty narrow layers: many small operations in a row."""
    hidden = [k.layers.Dense(32, activation="relu") for _ in range(20)]
    return k.Sequential([k.Input((32,)), *hidden, k.layers.Dense(1, activation="sigmoid")])


def autoencoder(k: Any) -> Any:
    """Return an autoencoder 784-128-32-128-784."""
    dense = k.layers.Dense
    hidden = [dense(width, activation="relu") for width in (128, 32, 128)]
    return k.Sequential([k.Input((784,)), *hidden, dense(784, activation="sigmoid")])


def two_inputs(k: Any) -> Any:
    """Return a functional model of a dict: four words go through an embedding, and meet 32 numbers."""
    layers = k.layers
    inputs = {"words": k.Input((4,), dtype="int32", name="words"), "numbers": k.Input((32,), name="numbers")}
    words = layers.Flatten()(layers.Embedding(1000, 16)(inputs["words"]))
    x = layers.Concatenate()([words, inputs["numbers"]])
    x = layers.Dense(64, activation="relu")(x)
    return k.Model(inputs, layers.Dense(1, activation="sigmoid")(x))


def text_cnn(k: Any) -> Any:
    """Return a convolution over 128 embedded words."""
    layers = k.layers
    return k.Sequential(
        [
            k.Input((128,), dtype="int32"),
            layers.Embedding(5000, 64),
            layers.Conv1D(64, 5, activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def gru(k: Any) -> Any:
    """Return a GRU over 80 steps of 64 numbers."""
    return k.Sequential([k.Input((80, 64)), k.layers.GRU(64), k.layers.Dense(1, activation="sigmoid")])


def transformer(k: Any) -> Any:
    """Return one transformer block (four heads, normalised after each part) over 32 steps of 64 numbers."""
    layers = k.layers
    inputs = k.Input((32, 64))
    x = layers.LayerNormalization()(inputs + layers.MultiHeadAttention(4, 16)(inputs, inputs))
    y = layers.Dense(64)(layers.Dense(128, activation="relu")(x))
    x = layers.LayerNormalization()(x + y)
    return k.Model(inputs, layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling1D()(x)))


def batch_norm(k: Any) -> Any:
    """Return two convolutions with batch normalization."""
    layers = k.layers
    blocks = [
        [
            layers.Conv2D(filters, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.MaxPooling2D(2),
        ]
        for filters in (16, 32)
    ]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(10, activation="softmax")]
    return k.Sequential([k.Input((28, 28, 1)), *blocks[0], *blocks[1], *head])
