"""Layers by themselves: shapes, building, calls without state."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from helpers import data, host
from polykeras import Input, Model, Sequential, layers
from polykeras.backend import Backend
from polykeras.backend.symbolic import SymbolicArray


def test_compute_output_shape(backend: Backend) -> None:
    assert layers.Dense(4).compute_output_shape((None, 3)) == (None, 4)
    assert layers.Concatenate().compute_output_shape([(None, 3), (None, 4)]) == (None, 7)
    assert layers.Embedding(5, 4).compute_output_shape((None, 7)) == (None, 7, 4)
    assert layers.MultiHeadAttention(2, 3).compute_output_shape((2, 5, 8), (2, 6, 8)) == (2, 5, 8)
    model = Sequential([layers.Dense(4), layers.Dense(2)])
    assert model.compute_output_shape((None, 3)) == (None, 2)
    a, b = Input((3,)), Input((3,))
    assert Model([a, b], [a + b, a[:, 0]]).compute_output_shape([(5, 3), (5, 3)]) == [(5, 3), (5,)]


def test_build_configs(backend: Backend) -> None:
    class Pair(layers.Layer):
        def build(self, left_shape: Any, right_shape: Any) -> None:
            self.a = self.add_weight(shape=(left_shape[-1], 1), name="a")
            self.b = self.add_weight(shape=(right_shape[-1], 1), name="b")

        def call(self, left: Any, right: Any) -> Any:
            return left @ self.a + right @ self.b

    layer = Pair()
    assert layer.get_build_config() is None
    layer(data(2, 3), right=data(2, 4))
    assert [v.shape for v in layer.weights] == [(3, 1), (4, 1)]
    twin = Pair()
    twin.build_from_config(json.loads(json.dumps(layer.get_build_config())))
    assert [v.shape for v in twin.weights] == [(3, 1), (4, 1)]
    dense = layers.Dense(2)
    dense(data(2, 3))
    twin = layers.Dense(2)
    twin.build_from_config(dense.get_build_config())
    assert twin.kernel.shape == (3, 2)


def test_a_failed_build_leaves_no_half_made_weights(backend: Backend) -> None:
    class Picky(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.w = self.add_weight(shape=(1,), name="w")
            if input_shape[-1] != 3:
                raise ValueError("three, please")

        def call(self, inputs: Any) -> Any:
            return inputs * self.w

    layer = Picky(name="picky")
    with pytest.raises(ValueError, match="three, please"):
        layer(data(2, 4))
    layer(data(2, 3))
    assert len(layer.weights) == 1


def test_stateless_call(backend: Backend) -> None:
    model = Sequential([Input((2,)), layers.BatchNormalization(momentum=0.5), layers.Dense(1)])
    x = 4 + data(8, 2)
    before = [v.numpy() for v in model.variables]
    trainable = [v.numpy() * 0 for v in model.trainable_variables]
    others = [v.numpy() for v in model.non_trainable_variables]
    y, after = model.stateless_call(trainable, others, x, training=True)
    assert np.abs(host(y)).max() == 0.0
    assert not np.allclose(host(after[0]), others[0])
    for v, b in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(v.numpy(), b)
    with pytest.raises(ValueError, match="build it, or call it on data once"):
        layers.Dense(1).stateless_call([], [], x)


def test_native_code_in_a_layer_with_its_shapes_written_down(backend: Backend) -> None:
    class Native(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

        def call(self, inputs: Any) -> Any:
            if isinstance(inputs, SymbolicArray):
                raise TypeError(f"a framework's own function cannot take a {type(inputs).__name__}")
            return inputs * self.scale

        def compute_output_shape(self, input_shape: Any) -> Any:
            return input_shape

    x = Input((3,))
    model = Model(x, layers.Dense(1)(Native()(x)))
    assert model.output_shape == (None, 1)
    assert len(model.weights) == 3
    model.compile("sgd", "mse")
    model.fit(data(4, 3), data(4, 1), verbose=0)


def test_shapes_written_down_without_those_of_the_inputs(backend: Backend) -> None:
    class Fixed(layers.Layer):
        def build(self) -> None:
            self.scale = self.add_weight((2,), initializer="ones")

        def call(self, inputs: Any) -> Any:
            return (inputs[:, :2] + 1.0) * self.scale

        def compute_output_shape(self) -> Any:
            return [None, 2]

    x = Input((3,))
    model = Model(x, Fixed()(x))
    assert model.output_shape == (None, 2)
    assert [w.shape for w in model.weights] == [(2,)]
    given = data(4, 3)
    np.testing.assert_allclose(model.predict(given, verbose=0), given[:, :2] + 1.0, rtol=1e-6)


def test_legacy_names_of_shapes_of_inputs(backend: Backend) -> None:
    assert Sequential([layers.InputLayer(input_shape=(3,)), layers.Dense(2)]).output_shape == (None, 2)
    assert layers.InputLayer(batch_input_shape=(5, 3)).batch_shape == (5, 3)
    with pytest.raises(TypeError, match="input_size"):
        layers.InputLayer((3,), input_size=3)
