"""Private names of Keras that published libraries take."""

from __future__ import annotations

import numpy as np

import polykeras as keras
from polykeras import layers
from polykeras.as_keras import private
from polykeras.as_keras.finder import KerasModule
from polykeras.backend import use_backend


def test_all_objects_of_a_family() -> None:
    with use_backend("numpy"):
        found = KerasModule("keras.src.activations").ALL_OBJECTS_DICT
        assert found["relu"] is keras.activations.relu
        assert found["swish"] is keras.activations.silu
        losses = KerasModule("keras.src.losses").ALL_OBJECTS_DICT
        assert losses["MeanSquaredError"] is losses["mean_squared_error"] or callable(losses["mean_squared_error"])


def test_symbolic_scope() -> None:
    assert not private.in_symbolic_scope()
    with keras.SymbolicScope():
        assert private.in_symbolic_scope()

    class Asks(layers.Layer):
        def call(self, inputs):  # type: ignore[no-untyped-def]
            seen.append(private.in_symbolic_scope())
            return inputs

    seen: list[bool] = []
    with use_backend("numpy"):
        layer = Asks()
        layer(keras.Input((2,)))
        layer(np.zeros((1, 2), "float32"))
    assert seen[0]
    assert not seen[-1]


def test_further_projections_of_attention() -> None:
    class Gated(layers.MultiHeadAttention):
        def build(self, query_shape, value_shape, key_shape=None):  # type: ignore[no-untyped-def]
            super().build(query_shape, value_shape, key_shape)
            self.gates = layers.EinsumDense("abc,cd->abd", (None, 4), **self._get_common_kwargs_for_sublayer())
            self.gates.build(query_shape)

    with use_backend("numpy"):
        layer = Gated(2, 2, kernel_initializer="ones", kernel_regularizer="l2", dtype="float64")
        layer.build((None, 3, 4), (None, 3, 4))
    assert layer.gates.kernel_regularizer is layer.kernel_regularizer
    assert layer.gates.kernel.dtype == "float64"
    np.testing.assert_array_equal(layer.gates.kernel.numpy(), np.ones((4, 4)))


def test_lists_of_metrics_are_containers() -> None:
    layer = layers.Dense(1)
    layer.metric = keras.metrics.Mean(name="m")
    assert keras.tree.map_structure(lambda metric: metric.name, {"a": layer._metrics}) == {"a": ["m"]}
