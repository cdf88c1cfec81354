"""Models: sequential, functional and subclassed; what is in them, and what their calls have in common."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import Input, Model, Sequential, layers, ops
from polykeras.backend import Backend
from polykeras.backend.symbolic import SymbolicArray
from polykeras.models import Functional, clone_model, model_from_json


def host(x: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(x))


def data(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


# ---- Sequential --------------------------------------------------------------------------------------------------

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
    with pytest.raises(ValueError, match="has no layer to take away"):
        model.pop()


def test_sequential_refuses(backend: Backend) -> None:
    with pytest.raises(ValueError, match=r"Sequential takes layers; received 3 \(int\)"):
        Sequential([3])
    with pytest.raises(ValueError, match="Two layers of the model 's' are called 'd'"):
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


# ---- functional --------------------------------------------------------------------------------------------------


def test_model_makes_a_functional_one(backend: Backend) -> None:
    x = Input((3,), name="x")
    for model in (Model(x, layers.Dense(2)(x)), Model(inputs=x, outputs=layers.Dense(2)(x), name="named")):
        assert isinstance(model, Functional)
        assert model.built
        assert (model.input is x, model.output_shape) == (True, (None, 2))
    assert model.name == "named"


@pytest.mark.parametrize("structure", ["list", "tuple", "dict", "nested"])
def test_trees_of_inputs_and_outputs(backend: Backend, structure: str) -> None:
    a, b = Input((2,), name="a"), Input((2,), name="b")
    make: Any = {
        "list": lambda p, q: [p, q],
        "tuple": lambda p, q: (p, q),
        "dict": lambda p, q: {"second": q, "first": p},
        "nested": lambda p, q: {"pair": [p, {"deep": (q,)}]},
    }[structure]
    model = Model(make(a, b), make(a - b, a + b))
    x, y = data(4, 2), data(4, 2, seed=1)
    for result in (model(make(x, y)), model.predict(make(x, y), batch_size=3, verbose=0)):
        expected = make(x - y, x + y)
        assert polykeras.tree.flatten(result)[0].shape == (4, 2)
        polykeras.tree.assert_same_structure(result, expected)
        for one, other in zip(polykeras.tree.flatten(result), polykeras.tree.flatten(expected), strict=True):
            np.testing.assert_allclose(host(one), other, rtol=1e-6)
    twin = Model.from_config(json.loads(json.dumps(model.get_config())))
    polykeras.tree.assert_same_structure(twin(make(x, y)), expected)


def test_inputs_may_be_given_by_the_names_of_their_layers(backend: Backend) -> None:
    a, b = Input((2,), name="a"), Input((2,), name="b")
    model = Model([a, b], a - b)
    x, y = data(4, 2), data(4, 2, seed=1)
    np.testing.assert_allclose(host(model({"b": y, "a": x, "more": x})), x - y, rtol=1e-6)
    with pytest.raises(ValueError, match=r"inputs \['a', 'b'\]; the dict that was passed lacks \['b'\]"):
        model({"a": x})
    with pytest.raises(ValueError, match=r"expects 2 input\(s\) \['a', 'b'\]; received 1"):
        model([x])


def test_an_input_may_be_an_output(backend: Backend) -> None:
    x = Input((2,))
    model = Model(x, [x, x * 2.0])
    same, twice = model(np.ones((3, 2), "float32"))
    assert (host(same).tolist(), host(twice).tolist()) == ([[1.0, 1.0]] * 3, [[2.0, 2.0]] * 3)


def test_ranks_may_differ_by_a_last_axis_of_one(backend: Backend) -> None:
    x = Input((1,))
    model = Model(x, x * 2.0)
    assert host(model(np.ones(3, "float32"))).shape == (3, 1)
    x = Input((4,))
    assert host(Model(x, x * 2.0)(np.ones((3, 4, 1), "float32"))).shape == (3, 4)


def test_shared_layers(backend: Backend) -> None:
    a, b = Input((3,)), Input((3,))
    shared = layers.Dense(2, name="shared")
    model = Model([a, b], shared(a) - shared(b))
    assert len(model.weights) == 2
    assert len(shared.inbound_nodes) == 2
    x, y = data(4, 3), data(4, 3, seed=1)
    np.testing.assert_allclose(host(model([x, y])), (x - y) @ model.get_weights()[0], rtol=1e-5, atol=1e-5)


def test_nested_models_share_their_weights(backend: Backend) -> None:
    inner = Sequential([Input((3,)), layers.Dense(2)], name="inner")
    x = Input((3,))
    middle = Model(x, inner(x) * 2.0, name="middle")
    y = Input((3,))
    outer = Model(y, middle(y) + inner(y), name="outer")
    assert len(outer.weights) == 2
    assert outer.weights[0] is inner.layers[0].kernel
    z = data(4, 3)
    np.testing.assert_allclose(host(outer(z)), 3 * host(inner(z)), rtol=1e-5)
    outer.compile("sgd", "mse")
    before = inner.get_weights()[0]
    outer.fit(z, data(4, 2), verbose=0)
    assert not np.array_equal(before, inner.get_weights()[0])


OPERATORS: dict[str, Any] = {
    "x + 1": lambda x: x + 1,
    "1 - x": lambda x: 1 - x,
    "x * x": lambda x: x * x,
    "x / 2": lambda x: x / 2,
    "2 / (x * x + 1)": lambda x: 2 / (x * x + 1),
    "x ** 2": lambda x: x**2,
    "-x": lambda x: -x,
    "abs(x)": abs,
    "x // 1": lambda x: x // 1,
    "x % 1": lambda x: x % 1,
    "x[:, 0]": lambda x: x[:, 0],
    "x[:, -1:]": lambda x: x[:, -1:],
    "x[..., None, 1]": lambda x: x[..., None, 1],
    "x[:, ::2]": lambda x: x[:, ::2],
    "x @ w": lambda x: x @ np.arange(6, dtype="float32").reshape(3, 2),
    "w * x": lambda x: np.array([1.0, 2.0, 3.0], "float32") * x,
    "x < 0.5": lambda x: x < 0.5,
    "(x > 0) & (x < 1)": lambda x: (x > 0) & (x < 1),
}


@pytest.mark.parametrize("text", OPERATORS)
def test_operators_on_symbolic_tensors(backend: Backend, text: str) -> None:
    function = OPERATORS[text]
    x = Input((3,))
    model = Model(x, function(x))
    z = data(4, 3)
    expected = function(z)
    result = host(model(z))
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)
    assert model.output_shape == (None, *expected.shape[1:])
    twin = Model.from_config(json.loads(json.dumps(model.get_config())))
    np.testing.assert_array_equal(host(twin(z)), result)


OPS: dict[str, Any] = {
    "sum": lambda x: ops.sum(x, axis=1),
    "mean keepdims": lambda x: ops.mean(x, axis=(0, 2), keepdims=True),
    "reshape": lambda x: ops.reshape(x, (-1, 6)),
    "method reshape": lambda x: x.reshape((-1, 6)) if hasattr(x, "record_op") else ops.reshape(x, (-1, 6)),
    "transpose": lambda x: ops.transpose(x, (0, 2, 1)),
    "concatenate": lambda x: ops.concatenate([x, x * 2], axis=-1),
    "stack": lambda x: ops.stack([x, x], axis=1),
    "where": lambda x: ops.where(x > 0, x, 0.1 * x),
    "softmax": lambda x: ops.softmax(x, axis=-1),
    "einsum": lambda x: ops.einsum("bij,bkj->bik", x, x),
    "cast": lambda x: ops.cast(x, "int32"),
    "split": lambda x: ops.split(x, 3, axis=2)[1],
    "unstack": lambda x: ops.unstack(x, axis=1)[1],
    "shape is known": lambda x: x * x.shape[-1],
    "top_k": lambda x: ops.top_k(x, 2)[0],
    "constant": lambda x: x + ops.convert_to_tensor(np.ones(3, "float32")),
}


@pytest.mark.parametrize("name", OPS)
def test_ops_on_symbolic_tensors(backend: Backend, name: str) -> None:
    function = OPS[name]
    x = Input((2, 3))
    model = Model(x, function(x))
    z = data(4, 2, 3)
    expected = host(function(backend.asarray(z)))
    result = host(model(z))
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)
    assert model.outputs[0].dtype == result.dtype.name
    twin = Model.from_config(json.loads(json.dumps(model.get_config())))
    np.testing.assert_array_equal(host(twin(z)), result)


def test_symbolic_tensors_have_no_values(backend: Backend) -> None:
    x = Input((3,), name="x")
    for use in (lambda: float(x), lambda: bool(x), lambda: list(x), lambda: np.asarray(x), lambda: int(x)):
        with pytest.raises(TypeError, match=r"<KerasTensor shape=\(None, 3\).*has no value.*use polykeras.ops"):
            use()


def test_features_from_the_middle_of_a_model(backend: Backend) -> None:
    x = Input((3,))
    h = layers.Dense(4, "relu", name="hidden")(x)
    model = Model(x, layers.Dense(1)(h))
    features = Model(model.input, model.get_layer("hidden").output)
    z = data(5, 3)
    w, b = model.get_layer("hidden").get_weights()
    np.testing.assert_allclose(features.predict(z, verbose=0), relu(z @ w + b), rtol=1e-5, atol=1e-6)
    tail = Model(h, model.output)
    np.testing.assert_allclose(host(tail(features(z))), host(model(z)), rtol=1e-5, atol=1e-6)


def test_a_deep_graph_needs_no_recursion(backend: Backend) -> None:
    x = y = Input((1,))
    for _ in range(1500):
        y = y + 1.0
    assert host(Model(x, y)(np.zeros((1, 1), "float32"))).tolist() == [[1500.0]]


# ---- subclassed --------------------------------------------------------------------------------------------------


class Two(Model):
    """Two inputs, a list of layers, and dropout that knows whether it trains."""

    def __init__(self, width: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.blocks = [layers.Dense(width, "relu"), layers.Dense(width, "relu")]
        self.heads = {"out": layers.Dense(1)}
        self.dropout = layers.Dropout(0.5)

    def call(self, inputs: Any, training: Any = None) -> Any:
        a, b = inputs
        x = a + b
        for block in self.blocks:
            x = block(x)
        return self.heads["out"](self.dropout(x, training=training))


def test_subclassed_models(backend: Backend) -> None:
    model = Two(name="two")
    assert [type(layer).__name__ for layer in model.layers] == ["Dense", "Dense", "Dense", "Dropout"]
    assert not model.built
    with pytest.raises(AttributeError, match="Two 'two' has no `inputs`: it was not made from symbolic tensors"):
        _ = model.inputs
    x = [data(8, 3), data(8, 3, seed=1)]
    model.compile("adam", "mse")
    model.fit(x, data(8, 1), verbose=0)
    assert model.count_params() == 3 * 4 + 4 + 4 * 4 + 4 + 4 + 1
    np.testing.assert_array_equal(host(model(x)), host(model(x)))
    assert not np.array_equal(host(model(x, training=True)), host(model(x, training=True)))
    twin = Two.from_config(model.get_config())
    assert (twin.width, twin.name) == (4, "two")
    twin.build([(None, 3), (None, 3)])
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(host(twin(x)), host(model(x)))


def test_subclassed_models_in_a_graph(backend: Backend) -> None:
    a, b = Input((3,)), Input((3,))
    model = Model([a, b], Two()([a, b]) * 2.0)
    assert (model.output_shape, len(model.trainable_weights)) == ((None, 1), 6)
    model.compile("sgd", "mse")
    model.fit([data(8, 3), data(8, 3)], data(8, 1), verbose=0)


class Steered(Model):
    """A functional model with a train_step of its own, as in Keras's guides."""

    def train_step(self, data: Any) -> Any:
        return super().train_step(data) | {"extra": ops.convert_to_tensor(7.0)}


class FromGraph(Model):
    """A subclass that makes its own graph."""

    def __init__(self, units: int) -> None:
        x = Input((3,), name="x")
        y = layers.Dense(units, name="y")(x)
        super().__init__(inputs=x, outputs=y, name="graph")
        self.units = units


@pytest.mark.parametrize("kind", ["positional", "keywords", "own"])
def test_subclasses_of_functional_models(backend: Backend, kind: str) -> None:
    x = Input((3,), name="x")
    y = layers.Dense(2, name="y")(x)
    if kind == "own":
        model: Any = FromGraph(2)
    else:
        model = Steered(x, y) if kind == "positional" else Steered(inputs=x, outputs=y, name="graph")
    assert model.built
    assert [layer.name for layer in model.layers] == ["x", "y"]
    assert (model.input_shape, model.output_shape, model.output_names) == ((None, 3), (None, 2), ["y"])
    assert model.get_layer("y").units == 2
    model.compile("sgd", "mse")
    history = model.fit(data(4, 3), data(4, 2), verbose=0)
    assert list(history.history) == (["loss"] if kind == "own" else ["loss", "extra"])
    twin = type(model).from_config(json.loads(json.dumps(model.get_config())))
    assert type(twin) is type(model)
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(host(twin(data(4, 3))), host(model(data(4, 3))))
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    assert "y (Dense)" in lines[0]


def test_a_model_subclass_says_what_it_takes(backend: Backend) -> None:
    with pytest.raises(TypeError, match="Model takes symbolic `inputs` and `outputs`"):
        Model(3)
    with pytest.raises(NotImplementedError, match="does not implement `call`"):
        Model()(data(2, 2))


# ---- layers, names, weights --------------------------------------------------------------------------------------


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
        "dense/kernel",
        "dense/bias",
        "batch_normalization/gamma",
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
    model = Sequential([layers.Dense(2, input_dim=3, name="d")])
    model.set_weights([np.ones((3, 2)), [1.0, 2.0]])
    assert [w.tolist() for w in model.get_weights()] == [[[1.0, 1.0]] * 3, [1.0, 2.0]]
    with pytest.raises(ValueError, match="has 2 weights; received 1 arrays"):
        model.set_weights([np.ones((3, 2))])
    with pytest.raises(ValueError, match=r"'d/bias' has shape \(2,\); received an array of shape \(3,\)"):
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


# ---- freezing ----------------------------------------------------------------------------------------------------


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


# ---- configs -----------------------------------------------------------------------------------------------------


def everything() -> Model:
    """A graph with shared layers, ops, a nested model, a dict of outputs and keyword arguments."""
    a, b = Input((4,), name="a"), Input((4,), name="b", dtype="int32")
    shared = layers.Dense(3, "tanh", name="shared")
    embedded = layers.Embedding(10, 4, name="embedded")(b)
    inner = Sequential([Input((3,)), layers.Dense(3), layers.Dropout(0.3)], name="inner")
    x = shared(a) + shared(ops.mean(embedded, axis=1))
    y = inner(x * 2.0, training=False)[:, :2]
    z = layers.Concatenate(name="joined")([x, y, ops.relu(-x)])
    attended = layers.MultiHeadAttention(2, 2, name="attention")(embedded, value=embedded)
    return Model({"a": a, "b": b}, {"head": layers.Dense(1, name="out")(z), "seen": [z, attended]}, name="everything")


def test_configs_make_equal_models(backend: Backend) -> None:
    model = everything()
    x = {"a": data(3, 4), "b": np.arange(12).reshape(3, 4) % 10}
    expected = model.predict(x, verbose=0)
    twins = [
        Model.from_config(model.get_config()),
        Functional.from_config(json.loads(json.dumps(model.get_config()))),
        model_from_json(model.to_json()),
        clone_model(model),
    ]
    for twin in twins:
        assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]
        assert [v.path for v in twin.weights] == [v.path for v in model.weights]
        twin.set_weights(model.get_weights())
        result = twin.predict(x, verbose=0)
        polykeras.tree.assert_same_structure(result, expected)
        polykeras.tree.map_structure(np.testing.assert_array_equal, result, expected)
        assert twin.get_config() == model.get_config()


def test_sequential_configs(backend: Backend) -> None:
    for model in (
        Sequential([Input((3,)), layers.Dense(2, "relu"), layers.BatchNormalization(), layers.Dense(1)], name="s"),
        Sequential([layers.Dense(2, input_dim=3), layers.Dense(1)], name="s"),
        Sequential([layers.Dense(2), layers.Dense(1)], name="s"),
    ):
        x = data(4, 3)
        expected = host(model(x))
        twins = [Sequential.from_config(model.get_config()), model_from_json(model.to_json()), clone_model(model)]
        for twin in twins:
            assert (type(twin), twin.name) == (Sequential, "s")
            twin(x)
            twin.set_weights(model.get_weights())
            np.testing.assert_array_equal(host(twin(x)), expected)


def test_configs_name_custom_layers(backend: Backend) -> None:
    class Twice(layers.Layer):
        def __init__(self, times: float = 2.0, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.times = times

        def call(self, inputs: Any) -> Any:
            return inputs * self.times

    x = Input((2,))
    model = Model(x, Twice(3.0)(x))
    with pytest.raises(ValueError, match="'Twice'"):
        model_from_json(model.to_json())
    twin = model_from_json(model.to_json(), custom_objects={"Twice": Twice})
    assert host(twin(np.ones((1, 2), "float32"))).tolist() == [[3.0, 3.0]]
    with polykeras.saving.custom_object_scope({"Twice": Twice}):
        assert Model.from_config(model.get_config()).layers[1].times == 3.0


def test_clone_model_with_other_layers_and_inputs(backend: Backend) -> None:
    x = Input((3,))
    model = Model(x, layers.Dense(1)(layers.Dense(2, "relu")(x)))

    def widened(layer: layers.Layer) -> Any:
        return layers.Dense(5) if getattr(layer, "units", 0) == 2 else type(layer).from_config(layer.get_config())

    wide = clone_model(model, clone_function=widened)
    assert [v.shape for v in wide.weights] == [(3, 5), (5,), (5, 1), (1,)]
    start = Input((6,))
    longer = clone_model(model, input_tensors=start[:, :3])
    assert longer.input.shape == (None, 3)


# ---- summary -----------------------------------------------------------------------------------------------------


def summary_of(model: Model, **kwargs: Any) -> str:
    lines: list[str] = []
    model.summary(print_fn=lines.append, **kwargs)
    return "\n".join(lines)


def rows_of(text: str) -> list[list[str]]:
    rows = [line for line in text.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in row.strip("│ ").split("│")] for row in rows]


def test_the_seeds_summary(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    model = Sequential()
    model.add(layers.Dense(32, input_dim=784, activation="sigmoid"))
    model.add(layers.Dense(10, activation="sigmoid"))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.summary()
    printed = capsys.readouterr().out
    assert 'Model: "sequential"' in printed
    assert rows_of(printed) == [
        ["dense (Dense)", "(None, 32)", "25,120"],
        ["dense_1 (Dense)", "(None, 10)", "330"],
        ["dense_2 (Dense)", "(None, 1)", "11"],
    ]
    assert printed.splitlines()[-3:] == [
        " Total params: 25,461 (99.46 KB)",
        " Trainable params: 25,461 (99.46 KB)",
        " Non-trainable params: 0 (0.00 B)",
    ]
    model.compile(loss="binary_crossentropy", optimizer=polykeras.optimizers.SGD(lr=0.0001), metrics=["accuracy"])
    model.fit(np.zeros((4, 784)), np.ones((4, 1)), verbose=0)
    assert " Optimizer params: 2 (8.00 B)" in summary_of(model)


def test_summary_of_a_graph_says_what_is_connected(backend: Backend) -> None:
    a, b = Input((3,), name="a"), Input((3,), name="b")
    shared = layers.Dense(2, name="shared")
    model = Model([a, b], layers.Add(name="sum")([shared(a), shared(b)]) * 2.0, name="two")
    assert rows_of(summary_of(model)) == [
        ["a (InputLayer)", "(None, 3)", "0", "-"],
        ["b (InputLayer)", "(None, 3)", "0", "-"],
        ["shared (Dense)", "(None, 2)", "8", "a[0][0], b[0][0]"],
        ["sum (Add)", "(None, 2)", "0", "shared[0][0], shared[1][0]"],
        ["multiply (Multiply)", "(None, 2)", "0", "sum[0][0]"],
    ]


def test_summary_of_nested_and_frozen_models(backend: Backend) -> None:
    inner = Sequential([Input((4,)), layers.Dense(3, name="deep")], name="inner")
    x = Input((4,), name="x")
    model = Model(x, layers.Dense(1, name="top")(inner(x)), name="outer")
    inner.trainable = False
    text = summary_of(model, expand_nested=True, show_trainable=True)
    assert rows_of(text) == [
        ["x (InputLayer)", "(None, 4)", "0", "-"],
        ["inner (Sequential)", "(None, 3)", "15", "N"],
        ["deep (Dense)", "(None, 3)", "15", "N"],
        ["top (Dense)", "(None, 1)", "4", "Y"],
    ]
    assert " Total params: 19 (76.00 B)\n Trainable params: 4 (16.00 B)\n Non-trainable params: 15 (60.00 B)" in text
    assert len(rows_of(summary_of(model))) == 3
    assert [row[0] for row in rows_of(summary_of(model, layer_range=("inner", "top")))] == [
        "inner (Sequential)",
        "top (Dense)",
    ]
    with pytest.raises(ValueError, match="names 'nothing', which is not among the layers"):
        summary_of(model, layer_range=("nothing", "top"))


def test_summary_before_and_after_a_late_build(backend: Backend) -> None:
    model = Sequential([layers.Dense(2, name="d")])
    assert rows_of(summary_of(model)) == [["d (Dense)", "?", "0 (unbuilt)"]]
    model(data(4, 3))
    assert rows_of(summary_of(model)) == [["d (Dense)", "(None, 2)", "8"]]
    model = Two()
    model([data(4, 3), data(4, 3)])
    assert "dense (Dense)" in summary_of(model)


def test_summary_counts_bytes_of_other_dtypes(backend: Backend) -> None:
    if "float16" in backend.unsupported_dtypes:
        pytest.skip(f"{backend.name} has no float16")
    model = Sequential([layers.Dense(2, input_dim=3, dtype="float16")])
    assert " Total params: 8 (16.00 B)" in summary_of(model)


# ---- losses of layers --------------------------------------------------------------------------------------------


class Penalty(layers.Layer):
    """Adds the mean of its inputs, times a factor, to the loss."""

    def __init__(self, factor: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs: Any) -> Any:
        self.add_loss(self.factor * ops.mean(inputs))
        return inputs


def test_add_loss_and_regularizers(backend: Backend) -> None:
    x = Input((2,))
    shared = Penalty(1.0)
    l1, l2 = polykeras.regularizers.L1(0.1), polykeras.regularizers.L2(0.5)
    dense = layers.Dense(1, kernel_regularizer=l2, activity_regularizer=l1)
    model = Model(x, dense(shared(shared(x))))
    z = np.ones((4, 2), "float32")
    for _ in range(2):  # the losses are those of the last call
        y = host(model(z))
        w = dense.kernel.numpy()
        expected = sorted([1.0, 1.0, 0.1 * np.abs(y).sum() / 4, 0.5 * (w**2).sum()])
        np.testing.assert_allclose(sorted(float(host(t)) for t in model.losses), expected, rtol=1e-5)
    model.compile(polykeras.optimizers.SGD(0.1), "mse")
    np.testing.assert_allclose(model.evaluate(z, y, verbose=0), sum(expected), rtol=1e-5)
    model.reset_metrics()
    logs = model.train_on_batch(z, y)
    np.testing.assert_allclose(logs, sum(expected), rtol=1e-5)
    gradient = w + 0.1 * np.sign(y[0, 0]) * np.ones((2, 1))
    np.testing.assert_allclose(dense.kernel.numpy(), w - 0.1 * gradient, rtol=1e-5)


def test_losses_of_layers_alone_are_enough(backend: Backend) -> None:
    model = Sequential([layers.Dense(1, input_dim=2, kernel_initializer="ones"), Penalty(2.0)])
    model.compile(polykeras.optimizers.SGD(0.1))
    history = model.fit(np.ones((4, 2)), verbose=0, epochs=2)
    np.testing.assert_allclose(history.history["loss"], [4.0, 4.0 - 2 * 3 * 0.2], rtol=1e-5)


# ---- masks -------------------------------------------------------------------------------------------------------


def sentences() -> np.ndarray:
    return np.array([[1, 2, 3, 0, 0], [4, 0, 0, 0, 0], [1, 1, 1, 1, 1]], "int32")


@pytest.mark.parametrize("kind", ["functional", "sequential", "subclassed", "late", "one by one"])
def test_masks_reach_the_layers_that_want_them(backend: Backend, kind: str) -> None:
    embedding, lstm, dense = layers.Embedding(5, 3, mask_zero=True), layers.LSTM(2), layers.Dense(1)
    parts = [embedding, layers.Dropout(0.5), lstm, dense]
    if kind == "functional":
        x = y = Input((None,), dtype="int32")
        for part in parts:
            y = part(y)
        model: Any = Model(x, y)
    elif kind == "sequential":
        model = Sequential([Input((None,), dtype="int32"), *parts])
    elif kind == "late":
        model = Sequential(parts)
    else:

        class Chain(Model):
            def call(self, inputs: Any) -> Any:
                for part in self.parts:
                    inputs = part(inputs)
                return inputs

        chain = Chain()
        chain.parts = parts
        model = chain if kind == "subclassed" else lambda x: dense(lstm(parts[1](embedding(x))))
    words = sentences()
    result = host(model(words))
    alone = [host(model(words[i : i + 1, :n])) for i, n in enumerate((3, 1, 5))]  # no padding there
    np.testing.assert_allclose(result, np.concatenate(alone), rtol=1e-4, atol=1e-6)
    unmasked = host(dense(lstm(ops.take(embedding.embeddings, words, axis=0))))
    assert not np.allclose(result[:2], unmasked[:2], rtol=1e-3)


@pytest.mark.parametrize("eagerly", [False, True])
def test_masks_reach_the_loss_and_the_metrics(backend: Backend, eagerly: bool) -> None:
    model = Sequential([Input((None,), dtype="int32"), layers.Embedding(5, 3, mask_zero=True), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mse"], run_eagerly=eagerly)
    words = sentences()
    y = data(3, 5, 1)
    predicted = model.predict(words, verbose=0)
    valid = (words != 0)[..., None]
    square, absolute = (predicted - y) ** 2, np.abs(predicted - y)
    logs = model.evaluate(words, y, verbose=0, return_dict=True)
    np.testing.assert_allclose(logs["loss"], square[valid].mean(), rtol=1e-5)
    np.testing.assert_allclose(logs["mse"], square[valid].mean(), rtol=1e-5)
    np.testing.assert_allclose(logs["mae"], absolute[valid].mean(), rtol=1e-5)
    model.reset_metrics()
    logs = model.train_on_batch(words, y, return_dict=True)
    np.testing.assert_allclose(logs["loss"], square[valid].mean(), rtol=1e-5)
    np.testing.assert_allclose(logs["mae"], absolute[valid].mean(), rtol=1e-5)


def test_a_mask_may_be_passed_to_a_model(backend: Backend) -> None:
    x = data(2, 4, 3)
    mask = np.array([[True, True, False, False], [True] * 4])
    inputs = Input((None, 3))
    graph, built, later = Model(inputs, layers.LSTM(2)(inputs)), [inputs, layers.LSTM(2)], [layers.LSTM(2)]
    for model in (graph, Sequential(built), Sequential(later)):
        result = host(model(x, mask=backend.asarray(mask)))
        np.testing.assert_allclose(result[0], host(model(x[:1, :2]))[0], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(result[1], host(model(x))[1], rtol=1e-4, atol=1e-6)


def test_a_mask_survives_a_change_of_dtype(backend: Backend) -> None:
    if "float16" in backend.unsupported_dtypes:
        pytest.skip(f"{backend.name} has no float16")
    model = Sequential([layers.Embedding(5, 3, mask_zero=True), layers.LSTM(2, dtype="float16")])
    words = sentences()
    result, alone = host(model(words)), host(model(words[:1, :3]))
    np.testing.assert_allclose(result[:1], alone, rtol=1e-2, atol=1e-3)


# ---- training or not ---------------------------------------------------------------------------------------------


class Flag(layers.Layer):
    """Adds 1 when training."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        return inputs + 1.0 if training else inputs


class Wrapping(layers.Layer):
    """Does not speak of training at all."""

    def __init__(self) -> None:
        super().__init__()
        self.flag = Flag()

    def call(self, inputs: Any) -> Any:
        return self.flag(inputs)


FLAGS = [Flag, Wrapping, lambda: Sequential([Flag()]), lambda: Sequential([Input((1,)), Wrapping()])]


@pytest.mark.parametrize("make", FLAGS)
def test_the_training_flag_reaches_every_layer(backend: Backend, make: Any) -> None:
    x = Input((1,))
    model = Model(x, make()(x))
    z = np.zeros((2, 1), "float32")
    assert host(model(z)).max() == 0.0
    assert host(model(z, training=True)).min() == 1.0
    assert host(model(z, training=False)).max() == 0.0
    assert model.predict(z, verbose=0).max() == 0.0
    model.compile("sgd", "mae")
    assert model.evaluate(z, z, verbose=0) == 0.0
    model.reset_metrics()
    assert model.train_on_batch(z, z) == 1.0


def test_an_explicit_flag_wins(backend: Backend) -> None:
    x = Input((1,))
    model = Model(x, [Flag()(x, training=True), Flag()(x, training=False), Flag()(x)])
    z = np.zeros((1, 1), "float32")
    assert [host(y).item() for y in model(z)] == [1.0, 0.0, 0.0]
    assert [host(y).item() for y in model(z, training=True)] == [1.0, 0.0, 1.0]


# ---- dtypes ------------------------------------------------------------------------------------------------------


def test_mixed_precision(backend: Backend) -> None:
    if "bfloat16" in backend.unsupported_dtypes:
        pytest.skip(f"{backend.name} has no bfloat16")
    hidden = layers.Dense(4, "relu", dtype="mixed_bfloat16")
    model = Sequential([Input((3,)), hidden, layers.BatchNormalization(dtype="mixed_bfloat16"), layers.Dense(1)])
    assert (hidden.compute_dtype, hidden.variable_dtype, hidden.dtype) == ("bfloat16", "float32", "float32")
    assert {v.dtype for v in model.weights} == {"float32"}
    assert backend.dtype(hidden(data(2, 3))) == "bfloat16"
    assert hidden.output.dtype == "bfloat16"
    assert backend.dtype(model(data(2, 3))) == "float32"
    model.compile("sgd", "mse")
    history = model.fit(data(16, 3), data(16, 1), epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]
    assert {v.dtype for v in model.weights} == {"float32"}


def test_the_global_policy(backend: Backend) -> None:
    policy = polykeras.dtype_policies
    try:
        policy.set_dtype_policy("mixed_bfloat16")
        assert layers.Dense(1).compute_dtype == "bfloat16"
    finally:
        policy.set_dtype_policy(None)
    assert layers.Dense(1).compute_dtype == "float32"
    with pytest.raises(ValueError, match="Unknown dtype policy 'mixed_float8'"):
        layers.Dense(1, dtype="mixed_float8")


def test_wide_and_whole_inputs_are_computed_in_float32(backend: Backend) -> None:
    model = Sequential([layers.Dense(2, input_dim=3)])
    for x in (np.ones((2, 3)), np.ones((2, 3), "int64"), [[1, 2, 3]], [[1.0, 2.0, 3.0]]):
        assert backend.dtype(model(x)) == "float32"


# ---- layers by themselves ----------------------------------------------------------------------------------------


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


# ---- without any framework ---------------------------------------------------------------------------------------


def test_models_and_configs_load_no_framework() -> None:
    code = """
import json, sys
import polykeras
from polykeras import Input, Model, Sequential, layers, ops
a = Input((8, 8, 1)); b = Input((None,), dtype="int32")
x = layers.Flatten()(layers.Conv2D(4, 3, activation="relu")(a))
y = layers.LSTM(4)(layers.Embedding(10, 4, mask_zero=True)(b))
z = layers.Dropout(0.5)(layers.BatchNormalization()(ops.concatenate([x, y], axis=-1)))
model = Model([a, b], layers.Dense(1)(z[:, :10] * 2.0))
model.summary(print_fn=lambda text: None)
model.compile("adam", "mse", metrics=["mae"])
twin = polykeras.models.model_from_json(model.to_json())
model.get_weights()
s = Sequential([layers.Dense(3, input_dim=4)]); s.add(layers.Dense(2)); s.count_params()
print(*[name for name in ("jax", "torch", "tensorflow", "keras") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
