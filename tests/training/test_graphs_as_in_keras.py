"""What functional and sequential models take, as in Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polykeras import Input, KerasTensor, Layer, Model, Sequential, Variable, layers, ops
from polykeras.backend import Backend
from polykeras.layers.base.context import get_mask
from polykeras.models import clone_model

X = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")


class Optional(Layer):
    """Adds its second input if there is one."""

    def call(self, x: Any, y: Any = None) -> Any:
        return x if y is None else x + y


@pytest.mark.parametrize("kind", ["list", "dict"])
def test_none_may_stand_for_an_optional_input(backend: Backend, kind: str) -> None:
    x, y = Input((3,), name="x"), Input((3,), name="y", optional=True)
    inputs: Any = [x, y] if kind == "list" else {"x": x, "y": y}
    model = Model(inputs, Optional()(x, y))

    def given(one: Any, other: Any) -> Any:
        return [one, other] if kind == "list" else {"x": one, "y": other}

    np.testing.assert_allclose(np.asarray(model(given(X, None))), X)
    np.testing.assert_allclose(np.asarray(model(given(X, X))), 2 * X)
    with pytest.raises(ValueError, match="'x' is not optional"):
        model(given(None, X))


def test_a_sequential_checks_the_rank_alone(backend: Backend) -> None:
    """Layers check what they need."""
    model = Sequential([layers.Conv1D(2, 2), layers.GlobalMaxPooling1D()])
    model(np.ones((2, 5, 3), "float32"))
    model.summary(print_fn=lambda text: None)
    assert model.predict(np.ones((2, 7, 3), "float32"), verbose=0).shape == (2, 2)
    known = Sequential([Input((4, 2)), layers.Conv1D(2, 2)])
    assert known(np.ones((2, 9, 2), "float32")).shape == (2, 8, 2)
    with pytest.raises(ValueError, match=r"does not fit.*axis -1 to have size 2; received 3"):
        known(np.ones((2, 9, 3), "float32"))
    with pytest.raises(ValueError, match="does not fit"):
        known(np.ones((2, 2), "float32"))


def test_the_first_layer_of_a_sequential_may_take_a_list(backend: Backend) -> None:
    model = Sequential([layers.Concatenate(), layers.Dense(2)])
    assert model([X, X]).shape == (4, 2)
    assert model.predict([X, X], verbose=0).shape == (4, 2)
    assert len(model.weights) == 2
    model.compile("sgd", "mse")
    model.fit([X, X], X[:, :2], verbose=0)
    model.summary(print_fn=lambda text: None)


def test_one_layer_may_stand_twice_in_a_sequential(backend: Backend) -> None:
    dense = layers.Dense(3, use_bias=False)
    model = Sequential([Input((3,)), dense, dense])
    kernel = model.get_weights()
    assert len(kernel) == 1
    np.testing.assert_allclose(np.asarray(model(X)), X @ kernel[0] @ kernel[0], rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="have the name"):
        model.add(layers.Dense(3, name=dense.name))


def test_a_model_may_use_names_of_graphs_for_its_own(backend: Backend) -> None:
    class Own(Model):
        def __init__(self) -> None:
            super().__init__()
            self.input_shape, self.output_shape, self.inputs, self.outputs = (3,), (2,), "in", "out"
            self.dense = layers.Dense(2)

        def compile(self, optimizer: Any, loss: Any) -> None:
            super().compile(optimizer)
            self.loss = loss

        def call(self, x: Any) -> Any:
            return self.dense(x)

        def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, **options: Any) -> Any:
            return self.loss(y, y_pred)

    model = Own()
    model.compile("sgd", lambda y, p: ops.mean(ops.square(y - p)))
    assert model.fit(X, X[:, :2], verbose=0).history["loss"][0] > 0
    assert (model.input_shape, model.output_shape, model.inputs, model.outputs) == ((3,), (2,), "in", "out")
    with pytest.raises(AttributeError, match="has no `input_names`|has no `input`"):
        model.input  # noqa: B018
    assert Sequential([Input((3,)), layers.Dense(2)]).input_shape == (None, 3)


class Pair(Layer):
    """Two outputs in a dict, of which the second has a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.supports_masking = True

    def call(self, x: Any) -> Any:
        return {"a": x, "b": x * 2}

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return {"a": None, "b": ops.not_equal(inputs[..., 0], 0)}


def test_a_dict_of_masks_may_have_none(backend: Backend) -> None:
    result = Pair()(np.ones((2, 3, 1), "float32"))
    assert get_mask(result["a"]) is None
    assert get_mask(result["b"]) is not None
    symbolic = Pair()(Input((3, 1)))
    assert symbolic["a"]._keras_mask is None
    assert symbolic["b"]._keras_mask is not None


def test_round_of_variables_and_symbolic_tensors(backend: Backend) -> None:
    x = Input((3,))
    model = Model(x, [round(x), round(x, 1)])
    for given, result in zip((0, 1), model(X), strict=True):
        np.testing.assert_allclose(np.asarray(result), X.round(given), rtol=1e-6)
    assert float(round(Variable(2.7))) == 3.0


def test_keras_history_of_a_symbolic_tensor(backend: Backend) -> None:
    x = Input((3,))
    dense = layers.Dense(2)
    dense(x)
    y = dense(x)
    assert y._keras_history.operation is dense
    operation, node, place = y._keras_history
    assert (operation, node, place) == (dense, 1, 0)
    assert not hasattr(KerasTensor((2,)), "_keras_history")


def test_an_input_around_a_tensor(backend: Backend) -> None:
    tensor = KerasTensor((None, 3), "float32")
    x = Input(tensor=tensor)
    assert x is tensor
    model = Model(x, layers.Dense(2)(x))
    assert model(X).shape == (4, 2)
    assert clone_model(model)(X).shape == (4, 2)


def test_numpy_scalars_are_python_scalars(backend: Backend) -> None:
    """They change no dtype: `np.sqrt(2.0)` is a float64 of NumPy's."""
    x = ops.ones((2,), "float32")
    for dtype in ("float32", "bfloat16", "float16"):
        for result in (
            ops.multiply(ops.cast(x, dtype), np.sqrt(2.0)),
            ops.add(np.float64(1), ops.cast(x, dtype)),
            ops.where(ops.cast(x, "bool"), ops.cast(x, dtype), np.float64(0.5)),
        ):
            assert backend.dtype(result) == dtype
    assert backend.dtype(ops.multiply(ops.cast(x, "int32"), np.float64(0.5))) == "float32"


def test_an_adapted_normalization_takes_inputs_of_another_rank(backend: Backend) -> None:
    """A published tutorial adapts it to a column, and calls it on rows of one."""
    layer = layers.Normalization(axis=None)
    data = np.array([1.0, 2.0, 3.0], "float32")
    layer.adapt(data)
    result = layer(data[:, None])
    assert result.shape == (3, 1)
    np.testing.assert_allclose(np.asarray(result)[:, 0], (data - 2) / data.std(), rtol=1e-5)
    last = layers.Normalization()
    last.adapt(X)
    assert last(np.ones((2, 5, 3), "float32")).shape == (2, 5, 3)
    with pytest.raises(ValueError, match="axis -1 to have size 3"):
        last(np.ones((2, 5), "float32"))


class Described(Model):
    """A model that adds to its config."""

    def __init__(self, units: int = 2, **options: Any) -> None:
        super().__init__(**options)
        self.units = units
        self.dense = layers.Dense(units)

    def call(self, x: Any) -> Any:
        return self.dense(x)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"units": self.units}


def test_the_config_of_a_subclassed_model_has_what_the_base_takes(backend: Backend) -> None:
    model = Described(3, name="mine", trainable=False, dtype="mixed_bfloat16")
    config = model.get_config()
    assert (config["name"], config["trainable"], config["units"]) == ("mine", False, 3)
    other = Described.from_config(config)
    assert (other.name, other.trainable, other.dtype_policy.name) == ("mine", False, "mixed_bfloat16")


def test_a_model_of_lookups_and_embeddings_is_part_of_another(backend: Backend) -> None:
    """As in recommenders: each tower takes strings and has weights. The lookups run on the host, the rest is trained."""

    def tower(words: list[str], known: bool) -> Sequential:
        first = [Input((), dtype="string")] if known else []
        return Sequential([*first, layers.StringLookup(vocabulary=words), layers.Embedding(len(words) + 1, 4)])

    users, films = tower(["u", "v"], True), tower(["a", "b", "c"], False)
    user, film = Input((), dtype="string", name="user"), Input((), dtype="string", name="film")
    model = Model([user, film], layers.Dot(-1)([users(user), films(film)]))
    rows = np.array(["u", "v", "u", "w"]), np.array(["a", "c", "c", "b"])
    before = model.predict(list(rows), verbose=0)
    one, two = users.get_weights()[0][[1, 2, 1, 0]], films.get_weights()[0][[1, 3, 3, 2]]
    np.testing.assert_allclose(before[:, 0], np.sum(one * two, -1), rtol=1e-5, atol=1e-6)
    model.compile("sgd", "mse")
    model.fit(list(rows), np.ones(4, "float32"), verbose=0, epochs=3)
    assert not np.allclose(model.predict(list(rows), verbose=0), before)


def test_shapes_of_several_inputs_are_a_list(backend: Backend) -> None:
    a, b = Input((2,), name="a"), Input((3,), name="b")
    model = Model({"b": b, "a": a}, {"y": layers.Dense(4)(a), "x": layers.Dense(5)(b)})
    assert model.input_shape == [(None, 2), (None, 3)]
    assert model.output_shape == [(None, 5), (None, 4)]


def test_the_summary_of_a_subclassed_model_has_shapes_and_all_parameters(backend: Backend) -> None:
    class Two(Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    model = Two()
    model(X)
    model.compile("sgd", "mse")
    model.fit(X, X[:, :2], verbose=0)
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    assert "(4, 2)" in lines[0]
    assert " Total params: 10 (40.00 B)\n Trainable params: 8 (32.00 B)" in lines[0]  # two of the optimizer
