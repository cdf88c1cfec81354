"""Layers whose dtype policy quantizes them when they are built, in a graph too."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops
from polykeras.backend import Backend


class Holder(keras.Model):
    """A class of a library, made from a graph."""

    def __init__(self, dtype: str) -> None:
        self.table = layers.Embedding(10, 4, dtype=dtype)
        inputs = keras.Input((None,), dtype="int32")
        super().__init__(inputs, layers.Dense(2, dtype=dtype)(self.table(inputs)), dtype=dtype)


@pytest.mark.parametrize("policy", ["int8_from_float32", "int4_from_float32"])
def test_an_embedding_in_a_graph(backend: Backend, policy: str) -> None:
    indices = keras.Input((None,), dtype="int32")
    layer = layers.Embedding(10, 4, dtype=policy)
    assert layer(indices).shape == (None, None, 4)
    assert layer.quantization_mode == policy[:4]
    assert ops.convert_to_numpy(layer(np.array([[1, 2]]))).shape == (1, 2, 4)


def test_layers_within_a_model_made_from_a_graph(backend: Backend) -> None:
    model = Holder("mixed_bfloat16")
    within = model._flatten_layers()
    assert [type(layer).__name__ for layer in within] == ["Holder", "Embedding", "InputLayer", "Dense"]
    assert {layer.compute_dtype for layer in within if not isinstance(layer, layers.InputLayer)} == {"bfloat16"}
