"""The layers and weights of models: names, order, values in and out, freezing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras
from helpers import data
from polykeras import Input, Model, Sequential, layers
from polykeras.backend import Backend

# ---- layers, names, weights ------------------------------------------------------------------------------------------


def test_get_layer(backend: Backend) -> None:
    model = Sequential([layers.Dense(1, name="first", input_dim=2), layers.Dense(1, name="second")], name="m")
    assert model.get_layer("second") is model.get_layer(index=1) is model.get_layer(index=-1)
    with pytest.raises(ValueError, match=r"no layer 'secnd'\. Did you mean 'second'\? It has \['first', 'second'\]"):
        model.get_layer("secnd")
    with pytest.raises(ValueError, match="has 2 layers; there is no layer 2"):
        model.get_layer(index=2)
    with pytest.raises(ValueError, match="takes a name or an index"):
        model.get_layer()


def test_names_are_made_as_in_keras(backend: Backend) -> None:
    model = Sequential([layers.Dense(1, input_dim=2), layers.BatchNormalization(), layers.Dense(1)])
    assert [model.name, *(layer.name for layer in model.layers)] == [
        "sequential", "dense", "batch_normalization", "dense_1",
    ]  # fmt: skip
    assert [v.path for v in model.weights][:3] == [
        "sequential/dense/kernel",
        "sequential/dense/bias",
        "sequential/batch_normalization/gamma",
    ]


def test_order_of_weights_is_that_of_keras(backend: Backend) -> None:
    model = Sequential([layers.Dense(2), layers.BatchNormalization(), layers.Dense(1)])
    model(data(4, 3))
    names = [v.path.split("/")[-1] for v in model.weights]
    assert names == ["kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance", "kernel", "bias"]
    names = [v.path.split("/")[-1] for v in model.trainable_weights]
    assert names == ["kernel", "bias", "gamma", "beta", "kernel", "bias"]
    assert [v.path.split("/")[-1] for v in model.non_trainable_weights] == ["moving_mean", "moving_variance"]
    x = Input((2, 3))
    model = Model(x, layers.Bidirectional(layers.LSTM(2))(layers.LSTM(2, return_sequences=True)(x)))
    assert [v.shape for v in model.weights] == [(3, 8), (2, 8), (8,), (2, 8), (2, 8), (8,), (2, 8), (2, 8), (8,)]


def test_weights_in_and_out(backend: Backend) -> None:
    model = Sequential([layers.Dense(2, input_dim=3, name="d")], name="s")
    model.set_weights([np.ones((3, 2)), [1.0, 2.0]])
    assert [w.tolist() for w in model.get_weights()] == [[[1.0, 1.0]] * 3, [1.0, 2.0]]
    with pytest.raises(ValueError, match="has 2 weights; received 1 arrays"):
        model.set_weights([np.ones((3, 2))])
    with pytest.raises(ValueError, match=r"'s/d/bias' has shape \(2,\); received an array of shape \(3,\)"):
        model.set_weights([np.zeros((3, 2)), np.zeros(3)])
    assert model.get_weights()[0].tolist() == [[1.0, 1.0]] * 3  # nothing was changed
    store: dict[str, Any] = {}
    model.layers[0].save_own_variables(store)
    other = layers.Dense(2)
    other.build((None, 3))
    other.load_own_variables(store)
    assert other.get_weights()[1].tolist() == [1.0, 2.0]


def test_layers_find_what_is_in_lists_dicts_and_attributes(backend: Backend) -> None:
    class Holder(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.parts = [layers.Dense(1)]
            self.more = {"a": {"b": (layers.Dense(1),)}}
            self.variable = polykeras.Variable(1.0, name="loose")
            self.same = self.parts[0]

        def call(self, inputs: Any) -> Any:
            for part in self.parts:
                inputs = part(inputs)
            return self.more["a"]["b"][0](inputs) * self.variable

    layer = Holder()
    layer.parts.append(layers.Dense(1))  # after it was assigned
    layer(data(2, 2))
    assert len(layer.weights) == 7
    layer.parts.pop()
    assert len(layer.weights) == 5


# ---- freezing --------------------------------------------------------------------------------------------------------


def test_freezing_takes_effect_at_once(backend: Backend) -> None:
    model = Sequential([layers.Dense(2, input_dim=2), layers.Dense(2), layers.Dense(1)])
    model.compile("adam", "mse")
    x, y = data(8, 2), data(8, 1)

    def changed() -> list[bool]:
        before = model.get_weights()
        model.fit(x, y, verbose=0)
        return [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]

    assert changed() == [True] * 6
    model.layers[0].trainable = False
    assert changed() == [False] * 2 + [True] * 4
    model.layers[0].trainable = True
    model.layers[2].trainable = False
    assert changed() == [True] * 4 + [False] * 2
    model.layers[2].trainable = True
    model.layers[1].bias.trainable = False
    assert changed() == [True, True, True, False, True, True]


def test_trainable_reaches_into_nested_models(backend: Backend) -> None:
    inner = Sequential([layers.Dense(2, input_dim=2), layers.BatchNormalization()])
    model = Sequential([inner, layers.Dense(1)])
    inner.trainable = False
    assert [layer.trainable for layer in inner.layers] == [False, False]
    assert (len(model.trainable_weights), len(model.non_trainable_weights)) == (2, 6)
    model.trainable = True
    assert len(model.trainable_weights) == 6
    x = Input((2,))
    frozen = Model(x, layers.Dense(1)(x), trainable=False)
    assert frozen.trainable_weights == []


def test_a_frozen_batch_normalization_keeps_its_statistics(backend: Backend) -> None:
    model = Sequential([Input((2,)), layers.BatchNormalization(), layers.Dense(1)])
    model.layers[0].trainable = False
    model.compile("sgd", "mse")
    before = model.layers[0].get_weights()
    model.fit(5 + data(8, 2), data(8, 1), verbose=0)
    for a, b in zip(before, model.layers[0].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
