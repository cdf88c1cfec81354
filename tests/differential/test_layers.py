"""That the differences of layers in the list of known ones are still there: what Keras gives for them, and what we give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras
from differential import opponent
from known_differences import of

pytestmark = pytest.mark.keras

X = np.random.default_rng(0).uniform(0, 1, (2, 6, 8, 3)).astype("float32")


def crop(keras: Any) -> bool:
    layer = keras.layers.RandomCrop(3, 4, seed=1)
    return tuple(layer(X, training=False).shape) == tuple(layer.compute_output_shape(X.shape))


def contrast(keras: Any) -> bool:
    first = keras.layers.AutoContrast((0, 1), data_format="channels_first")(np.moveaxis(X, -1, 1))
    last = keras.layers.AutoContrast((0, 1), data_format="channels_last")(X)
    return np.allclose(np.moveaxis(np.asarray(first), 1, -1), np.asarray(last), atol=1e-5)


def scale(keras: Any) -> bool:
    try:
        found = np.asarray(keras.layers.RMSNormalization(axis=[1, 2], epsilon=0.0)(X))
    except ValueError:
        return False
    return np.allclose(found, X / np.sqrt(np.mean(X**2, (1, 2), keepdims=True)), rtol=1e-5)


def spectral(keras: Any) -> bool:
    inner = keras.layers.Embedding(4, 3)
    layer = keras.layers.SpectralNormalization(inner, power_iterations=100)
    table = layer(np.arange(4)[None], training=True)
    return np.allclose(np.linalg.svd(np.asarray(table)[0], compute_uv=False)[0], 1.0, rtol=1e-3)


def masked(keras: Any) -> bool:
    x, mask = X[:, :, 0], np.ones((2, 6), bool)
    try:
        keras.layers.Multiply()([x, x], mask=[mask, mask])
    except TypeError:
        return False
    return True


@pytest.mark.parametrize(
    "name", ["RandomCrop", "AutoContrast", "RMSNormalization", "SpectralNormalization", "Multiply"]
)
def test_the_difference_is_there(name: str) -> None:
    holds = {"RandomCrop": crop, "AutoContrast": contrast, "RMSNormalization": scale}
    holds |= {"SpectralNormalization": spectral, "Multiply": masked}
    assert of(f"layers.{name}")
    assert holds[name](polykeras)
    with opponent.quiet():
        assert not holds[name](opponent.keras())
