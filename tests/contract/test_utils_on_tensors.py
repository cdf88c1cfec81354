"""Functions of `keras.utils` that take a NumPy array or a tensor, and return the like."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras import ops
from polykeras.backend import Backend

X = np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0], [1.0, 2.0, -2.0]], "float32")


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("order", [1, 2])
def test_normalize(axis: int, order: int, backend: Backend) -> None:
    expected = keras.utils.normalize(X, axis, order)
    assert isinstance(expected, np.ndarray)
    found = keras.utils.normalize(ops.convert_to_tensor(X), axis, order)
    assert ops.is_tensor(found)
    np.testing.assert_allclose(backend.to_numpy(found), expected, rtol=1e-6, atol=1e-7)
    assert keras.utils.normalize(keras.KerasTensor((None, 3)), axis, order).shape == (None, 3)


def test_a_loss_may_normalize(backend: Backend) -> None:
    """A published contrastive loss does."""
    model = keras.Sequential([keras.layers.Dense(3, kernel_initializer="ones")])
    model.compile("sgd", lambda y, x: ops.mean(keras.utils.normalize(x, axis=1) - y) ** 2)
    assert np.isfinite(model.fit(X, X, verbose=0).history["loss"][0])
