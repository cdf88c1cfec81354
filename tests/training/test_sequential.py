"""Sequential models: when they know their shapes, and what may be added and taken away."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from helpers import data, host
from polykeras import Input, Model, Sequential, layers
from polykeras.backend import Backend
from polykeras.models import clone_model


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


FIRST: dict[str, Any] = {
    "Input": lambda: [Input((3,)), layers.Dense(4, name="first")],
    "InputLayer": lambda: [layers.InputLayer(shape=(3,)), layers.Dense(4, name="first")],
    "input_shape": lambda: [layers.Dense(4, input_shape=(3,), name="first")],
    "input_dim": lambda: [layers.Dense(4, input_dim=3, name="first")],
    "batch_input_shape": lambda: [layers.Dense(4, batch_input_shape=(None, 3), name="first")],
}


@pytest.mark.parametrize("way", FIRST)
@pytest.mark.parametrize("added", [False, True])
def test_sequential_knows_its_shape_from_the_first_layer(backend: Backend, way: str, added: bool) -> None:
    parts = [*FIRST[way](), layers.Dense(2, name="last")]
    if added:
        model = Sequential(name="s")
        for part in parts:
            model.add(part)
    else:
        model = Sequential(parts, name="s")
    assert model.built
    assert (model.input_shape, model.output_shape) == ((None, 3), (None, 2))
    assert [layer.name for layer in model.layers] == ["first", "last"]
    assert [v.shape for v in model.weights] == [(3, 4), (4,), (4, 2), (2,)]
    assert model.count_params() == 26
    assert host(model(data(5, 3))).shape == (5, 2)
    # however often `add` looked at the graph, each layer is part of it once
    assert [len(layer.inbound_nodes) for layer in model.layers] == [1, 1]
    assert model.layers[1].input is model.layers[0].output


def test_sequential_without_a_shape_is_built_by_data(backend: Backend) -> None:
    model = Sequential([layers.Dense(4, "relu"), layers.Dense(2)])
    assert not model.built
    assert model.weights == []
    with pytest.raises(AttributeError, match="no `input_shape` yet: its input shape is not known"):
        _ = model.input_shape
    with pytest.raises(ValueError, match="has no weights yet"):
        model.count_params()
    x = data(5, 3)
    y = host(model(x))
    assert model.built
    assert (model.input_shape, model.output_shape, model.count_params()) == ((None, 3), (None, 2), 26)
    features = Model(model.inputs, model.layers[0].output)
    w, b, v, c = model.get_weights()
    np.testing.assert_allclose(host(features(x)), relu(x @ w + b), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(y, relu(x @ w + b) @ v + c, rtol=1e-5, atol=1e-6)


def test_sequential_is_built_by_fit_or_build(backend: Backend) -> None:
    model = Sequential([layers.Dense(4), layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(data(4, 3), data(4, 2), verbose=0)
    assert (model.output_shape, model.count_params()) == ((None, 2), 26)
    model = Sequential([layers.Dense(4), layers.Dense(2)])
    with pytest.raises(ValueError, match="cannot be built without the shape"):
        model.build()
    model.build((None, 3))
    assert model.count_params() == 26


def test_sequential_pop_and_add(backend: Backend) -> None:
    model = Sequential([Input((3,)), layers.Dense(4, name="a"), layers.Dense(2, name="b")])
    x = data(5, 3)
    before = model.get_weights()
    last = model.pop()
    assert (last.name, model.output_shape) == ("b", (None, 4))
    np.testing.assert_allclose(host(model(x)), x @ before[0] + before[1], rtol=1e-5, atol=1e-6)
    model.add(layers.Dense(7, name="c"))
    assert (model.output_shape, len(model.weights)) == ((None, 7), 4)
    for _ in range(2):
        model.pop()
    assert model.layers == []
    assert not model.built
    with pytest.raises(ValueError, match="has no layer to remove"):
        model.pop()


def test_sequential_refuses(backend: Backend) -> None:
    with pytest.raises(ValueError, match=r"Sequential takes layers; received 3 \(int\)"):
        Sequential([3])
    with pytest.raises(ValueError, match=r"received the class Dense\. Write Dense\(\.\.\.\)"):
        Sequential([layers.Dense])
    with pytest.raises(TypeError, match=r"takes one list of layers, as Sequential\(\[a, b\]\); received <Dense name=d"):
        Sequential(layers.Dense(3, name="d"), layers.Dense(1))
    with pytest.raises(ValueError, match="Two layers of the model 's' have the name 'd'"):
        Sequential([layers.Dense(1, name="d"), layers.Dense(1, name="d")], name="s")
    with pytest.raises(ValueError, match="An input can only be the first layer"):
        Sequential([layers.Dense(1), Input((3,))])
    with pytest.raises(ValueError, match="'s' has no layers yet"):
        Sequential(name="s")(data(2, 3))


def test_sequential_in_a_layer_that_builds_it_itself(backend: Backend) -> None:
    class Block(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.net = Sequential([Input(input_shape[1:]), layers.Dense(3), layers.Dense(2)])
            inputs = Input((2,))
            self.head = Model(inputs, layers.Dense(1)(inputs) + 1.0)

        def call(self, inputs: Any) -> Any:
            return self.head(self.net(inputs))

    inputs = Input((4,))
    model = Model(inputs, Block()(inputs))
    assert len(model.weights) == 6
    w, b, v, c, u, d = model.get_weights()
    x = data(5, 4)
    np.testing.assert_allclose(host(model(x)), ((x @ w + b) @ v + c) @ u + d + 1.0, rtol=1e-5, atol=1e-5)


def test_a_model_that_a_call_built_is_built_with_each_layer_that_comes_or_goes(backend: Backend) -> None:
    model = Sequential([layers.Dense(3)])
    model(np.ones((4, 2), "float32"))
    counts = []
    for _ in range(2):
        model.add(layers.Dense(5))
        counts.append(len(model.weights))
    assert (counts, model.output_shape) == ([4, 6], (None, 5))
    model.pop()
    assert (model.built, len(model.weights)) == (True, 4)


def test_copies_of_a_model_that_data_built_begin_with_its_input(backend: Backend) -> None:
    """As in Keras, so that data in dicts go into a copy by the same name."""
    inner = Sequential([layers.Dense(3)])
    model = Sequential([inner, layers.Dense(2)])
    model(np.ones((4, 5), "float32"))
    name = model.inputs[0].name
    for copied in (clone_model(model), clone_model(clone_model(model)), Sequential.from_config(model.get_config())):
        assert copied.inputs[0].name == name
        assert copied.input_shape == (None, 5)
        assert len(copied.layers) == 2
    first = model.get_config()["layers"][0]
    assert (first["class_name"], first["config"]["name"]) == ("InputLayer", name)
    model.add(layers.Dense(4))
    assert model.inputs[0].name == name


def test_a_class_with_its_own_build_is_copied_and_changed(backend: Backend) -> None:
    class Own(Sequential):
        def build(self, input_shape: Any = None) -> None:
            self.built = True

    model = Own([layers.Dense(3)])
    model.build((None, 5))
    assert clone_model(model).input_shape == (None, 5)
    assert model.output_shape == (None, 3)


def test_a_model_of_texts_forgets_them_with_its_last_layer(backend: Backend) -> None:
    model = Sequential([layers.TextVectorization(vocabulary=["a", "b"])])
    model(np.array(["a b"]))
    model.pop()
    model.add(layers.Dense(2))
    assert model(np.ones((4, 3), "float32")).shape == (4, 2)
    model.build((None, 3))
    assert model.count_params() == 8
