"""Sizes of inputs that a layer's call puts into arrays and takes out again, as published transformers make their masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polykeras import Input, Layer, Model, layers, ops
from polykeras.backend import Backend


class Summed(Layer):
    """Sums each position and those before it, by a mask that is repeated for each sample of a batch."""

    def call(self, x: Any) -> Any:
        batch, n = ops.shape(x)[:2]
        mask = ops.reshape(ops.cast(ops.arange(n)[:, None] >= ops.arange(n), "float32"), [1, n, n])
        repeats = ops.concatenate([ops.expand_dims(batch, -1), ops.convert_to_tensor([1, 1])], 0)
        return ops.matmul(ops.tile(mask, repeats), x)


def test_repeats_made_of_an_unknown_size_keep_the_other_sizes(backend: Backend) -> None:
    assert Summed()(Input((8, 4))).shape == (None, 8, 4)
    assert Summed()(Input((None, 4))).shape == (None, None, 4)


@pytest.mark.filterwarnings("ignore:On torch a function that should be compiled runs as plain Python:RuntimeWarning")
def test_repeats_in_an_array_are_those_of_each_batch(backend: Backend) -> None:
    if backend.name == "jax":
        pytest.skip("a compiled function of JAX knows no values of arrays, in Keras neither")
    x = Input((3, 2))
    model = Model(x, layers.Dense(1, kernel_initializer="ones")(Summed()(x)))
    model.compile("sgd", "mse")
    data = np.arange(30, dtype="float32").reshape(5, 3, 2)
    expected = data.cumsum(1).sum(-1, keepdims=True)
    np.testing.assert_allclose(model.predict(data, batch_size=2, verbose=0), expected)
    history = model.fit(data, expected, batch_size=2, verbose=0, shuffle=False).history
    assert history["loss"] == [0.0]


@pytest.mark.parametrize("repeats", [[2, 1, 3], [2], [2, 1, 1, 2]])
def test_repeats_in_an_array(backend: Backend, repeats: list[int]) -> None:
    x = np.arange(6, dtype="float32").reshape(1, 2, 3)
    result = ops.tile(ops.convert_to_tensor(x), ops.convert_to_tensor(repeats))
    np.testing.assert_array_equal(ops.convert_to_numpy(result), np.tile(x, repeats))
