"""Functional models: trees of inputs, shared layers, operators on symbolic tensors."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import polykeras
from differential import opponent
from helpers import data, host
from polykeras import Input, Model, Sequential, layers, losses, ops, tree
from polykeras.backend import Backend
from polykeras.graph import is_keras_tensor
from polykeras.models import Functional


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def test_model_makes_a_functional_one(backend: Backend) -> None:
    x = Input((3,), name="x")
    for model in (Model(x, layers.Dense(2)(x)), Model(inputs=x, outputs=layers.Dense(2)(x), name="named")):
        assert isinstance(model, Functional)
        assert model.built
        assert (model.input is x, model.output_shape) == (True, (None, 2))
    assert model.name == "named"


def lists(structure: Any) -> Any:
    """Return a structure with lists in place of tuples, which JSON, and Keras's configs, do not tell apart."""
    if isinstance(structure, dict):
        return {key: lists(part) for key, part in structure.items()}
    return [lists(part) for part in structure] if isinstance(structure, (list, tuple)) else structure


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
    polykeras.tree.assert_same_structure(twin(lists(make(x, y))), lists(expected))


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
    "method reshape": lambda x: x.reshape((-1, 6)) if is_keras_tensor(x) else ops.reshape(x, (-1, 6)),
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
        with pytest.raises(TypeError, match=r"<KerasTensor shape=\(None, 3\).*has no value.*Use polykeras.ops"):
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


def test_layers_are_in_keras_order(backend: Backend) -> None:
    """Deepest first: a longer branch begins before a shorter one's input is listed. Files and `set_weights` go by it."""
    a, b = Input((8,), name="a"), Input((8,), name="b")
    x, y = a, b
    for i in range(3):
        x = layers.Dense(8, activation="tanh", name=f"x{i}")(x)
    for i in range(2):
        y = layers.Dense(8, activation="tanh", name=f"y{i}")(y)
    model = Model([a, b], layers.Dense(1, name="end")(layers.Concatenate(name="both")([x, y])))
    expected = ["a", "x0", "b", "x1", "y0", "x2", "y1", "both", "end"]
    paths = [f"{name}/{part}" for name in ("x0", "x1", "y0", "x2", "y1", "end") for part in ("kernel", "bias")]
    for one in (model, Model.from_config(model.get_config()), polykeras.models.clone_model(model)):
        assert [layer.name for layer in one.layers] == [layer.name for layer in one.operations] == expected
        assert [variable.path for variable in one.weights] == paths
        assert [variable.path for variable in one.trainable_variables] == paths
        assert [one.get_layer(index=i).name for i in range(9)] == expected
        assert [entry["name"] for entry in one.get_config()["layers"]] == expected
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    places = ["\n".join(lines).index(f"{name} (") for name in expected]
    assert places == sorted(places)


def test_unused_inputs_and_shared_layers_have_their_places(backend: Backend) -> None:
    """An unused input is as deep as the outputs; a layer is as deep as the deepest of its calls."""
    a, b, unused = (Input((2,), name=name) for name in ("a", "b", "unused"))
    shared, early = layers.Dense(2, name="shared"), layers.Dense(2, name="early")
    late = layers.Dense(2, name="late")(shared(b))
    model = Model([a, unused, b], [late, layers.Add(name="sum")([shared(early(a)), late])])
    assert [layer.name for layer in model.layers] == ["b", "a", "shared", "early", "late", "unused", "sum"]


def test_a_model_cut_out_begins_with_an_input_layer(backend: Backend) -> None:
    x = Input((3,), name="x")
    first, second = layers.Dense(3, name="first"), layers.Dense(2, name="second")
    middle = first(x)
    whole = Model(x, second(middle * 2.0))
    part = Model(middle, whole.output)
    assert [type(layer).__name__ for layer in part.layers] == ["InputLayer", "Dense"]
    assert part.layers[1] is second
    z = data(4, 3)
    np.testing.assert_allclose(host(part(host(first(z)))), host(whole(z)), rtol=1e-5)
    twin = Model.from_config(json.loads(json.dumps(part.get_config())))
    twin.set_weights(part.get_weights())
    np.testing.assert_allclose(host(twin(z)), host(part(z)), rtol=1e-6)
    both = Model(x, whole.output + part(middle))  # the same layers once more
    np.testing.assert_allclose(host(both(z)), 2 * host(whole(z)), rtol=1e-5)


def test_masks_of_none_have_any_structure(backend: Backend) -> None:
    """Keras writes such for models that it calls within others."""
    a, b = Input((2,), name="a"), Input((2,), name="b")
    model = Model({"y": [a], "x": [[b]]}, a - b)
    x, y = data(4, 2), data(4, 2, seed=1)
    result = host(model({"y": [x], "x": [[y]]}, mask={"y": [None], "x": [[None]]}))
    np.testing.assert_allclose(result, x - y, rtol=1e-6)


def test_a_mask_on_the_way_makes_it_longer(backend: Backend) -> None:
    """As in Keras, which passes masks in the graph. The masked embedding would be second without it."""
    inputs = [Input((4,), dtype="int32", name=name) for name in ("plain", "masked")]
    parts = [layers.Embedding(5, 3, mask_zero=x.name == "masked", name=f"of_{x.name}")(x) for x in inputs]
    model = Model(inputs, layers.LSTM(3)(layers.Concatenate()(parts)))
    names = ["masked", "plain", "of_masked", "of_plain"]
    assert [layer.name for layer in model.operations][:4] == names
    assert all(type(operation).__name__ != "OpOperation" for operation in model.operations)


def test_training_of_a_model_counts_more_than_that_of_a_call_in_the_graph() -> None:
    """As in Keras (3.15), whose files name `training` in each call of a layer that takes it."""
    ones = np.ones((4, 50), "float32")
    x = polykeras.Input((50,))
    for written in (False, True):
        model = polykeras.Model(x, layers.Dropout(0.5, seed=1)(x, training=written))
        for training, dropped in ((None, written), (True, True), (False, False)):
            result = np.asarray(ops.convert_to_numpy(model(ones, training=training)))
            assert (result == 0).any() == dropped, (written, training)


@pytest.mark.keras
def test_dropout_of_a_file_of_keras_works_in_training(tmp_path: Any) -> None:
    keras = opponent.keras()
    x = keras.Input((50,))
    keras.Model(x, keras.layers.Dropout(0.5)(x)).save(tmp_path / "model.keras")
    model = polykeras.saving.load_model(tmp_path / "model.keras")
    ones = np.ones((4, 50), "float32")
    assert (ops.convert_to_numpy(model(ones, training=True)) == 0).any()
    assert (ops.convert_to_numpy(model(ones, training=False)) == 1).all()


def test_losses_and_ops_by_hand_take_symbolic_tensors(backend: Backend) -> None:
    x = Input((3,))
    y = layers.Dense(3, "sigmoid", name="dense")(x)
    loops = ops.fori_loop(0, 2, lambda i, value: value + 1, ops.map(lambda row: row * 2, x))
    model = Model(
        x, [y, losses.binary_crossentropy(x, y), losses.mse(x, y), ops.convert_to_tensor(y, "float16"), loops]
    )
    data = np.linspace(0.05, 0.9, 12, dtype="float32").reshape(4, 3)
    found, cross, square, half, looped = model.predict(data, verbose=0)
    expected = -(data * np.log(found) + (1 - data) * np.log(1 - found)).mean(-1)
    np.testing.assert_allclose(cross, expected, rtol=1e-5)
    np.testing.assert_allclose(square, ((data - found) ** 2).mean(-1), rtol=1e-5)
    assert half.dtype == "float16"
    np.testing.assert_allclose(looped, data * 2 + 2, rtol=1e-6)


def test_losses_of_symbolic_tensors_have_a_config(backend: Backend) -> None:
    x = Input((3,))
    model = Model(x, losses.mse(x, layers.Dense(3)(x)))
    copy = Model.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    data = np.ones((2, 3), "float32")
    np.testing.assert_array_equal(copy.predict(data, verbose=0), model.predict(data, verbose=0))


class Encoder(Model):
    """A model that makes its graph itself, as KerasHub's backbones do."""

    def __init__(self) -> None:
        ids, mask = (Input((None,), name=name, dtype="int32") for name in ("ids", "mask"))
        outputs = {"sequence": layers.Embedding(10, 4)(ids) * ops.cast(mask, "float32")[..., None], "mask": mask}
        super().__init__(inputs={"ids": ids, "mask": mask}, outputs=outputs)


def test_ends_of_a_graph_stay_those_of_its_inputs() -> None:
    encoder = Encoder()
    own = encoder.input
    encoder({name: Input((None,), dtype="int32") for name in own})
    assert encoder.input is own
    assert list(encoder.output) == ["sequence", "mask"]
    sequential, x = Sequential([Input((3,)), layers.Dense(2)]), Input((3,))
    y = sequential(x)
    assert sequential.input is x
    assert sequential.output is y


class Counting(layers.Layer):
    calls = 0

    def call(self, x: Any) -> Any:
        type(self).calls += 1
        return x * 2


def test_a_nested_graph_runs_on_shapes_once(backend: Backend) -> None:
    x = Input((3,))
    inner = Model(x, [Counting()(x)])
    counted = Counting.calls
    same, other = inner(Input((3,))), inner(Input(batch_shape=(2, 3)))
    assert Counting.calls > counted
    assert (same.shape, other.shape) == ((None, 3), (2, 3))
    counted = Counting.calls
    outer = Model(y := Input((3,)), inner(inputs=y))
    assert Counting.calls == counted
    np.testing.assert_array_equal(host(outer(np.ones((2, 3), "float32"))), 2 * np.ones((2, 3)))


@pytest.mark.parametrize("form", [lambda a, b: [[a, b]], lambda a, b: [{"a": a}], lambda a, b: {"b": b, "a": a}])
def test_outputs_of_a_nested_graph_have_one_form(form: Any) -> None:
    x = Input((3,))
    inner = Model(x, form(layers.Dense(1)(x), layers.Dense(2)(x)))
    same, other = inner(Input((3,))), inner(Input(batch_shape=(2, 3)))
    assert tree.map_structure(lambda t: t.shape[1:], same) == tree.map_structure(lambda t: t.shape[1:], other)


def test_a_nested_graph_whose_parts_have_changed_runs_on_shapes_again() -> None:
    inner = Sequential([Input((3,)), layers.Dense(2)])
    outer = Sequential([Input((3,)), inner])
    inner.add(layers.Dense(7))
    assert outer.compute_output_shape((None, 3)) == (None, 7)
