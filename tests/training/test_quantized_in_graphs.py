"""Layers whose policy says that they are quantized, in a graph."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras


@pytest.mark.parametrize("policy", ["int8", "int4"])
def test_layers_of_a_policy_have_their_first_values_in_a_graph(backend: str, policy: str) -> None:
    x = polykeras.Input((4,), dtype="int32")
    embedding = polykeras.layers.Embedding(7, 6, dtype=f"{policy}_from_float32")
    dense = polykeras.layers.Dense(2, dtype=f"{policy}_from_float32")
    model = polykeras.Model(x, dense(embedding(x)))
    tokens = np.array([[0, 3, 6, 3]])
    expected = polykeras.ops.convert_to_numpy(dense(embedding(tokens)))
    assert np.all(np.any(expected != 0, -1))
    np.testing.assert_allclose(model.predict(tokens, verbose=0), expected, rtol=1e-5)


def test_a_quantized_model_can_be_cloned(backend: str) -> None:
    layers = [polykeras.Input((4,), dtype="int32"), polykeras.layers.Embedding(7, 3), polykeras.layers.Dense(2)]
    model = polykeras.Sequential(layers)
    model.quantize("int8")
    clone = polykeras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    tokens = np.array([[0, 3, 6, 3]])
    np.testing.assert_array_equal(clone.predict(tokens, verbose=0), model.predict(tokens, verbose=0))
