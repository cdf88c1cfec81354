"""Models of one's own class: alone, in a graph, and made of a graph."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from helpers import data, host
from polykeras import Input, Model, layers, ops
from polykeras.backend import Backend
from training.own_models import Two


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
    assert list(history.history) == (["loss"] if kind == "own" else ["extra", "loss"])
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


class Reshaped(Model):
    """Its `call` fits one batch size only, and its layer has weights."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, inputs: Any) -> Any:
        return self.dense(ops.reshape(inputs, (2, 6)))


def test_a_build_that_fails_warns_and_the_first_data_builds() -> None:
    model = Reshaped()
    with pytest.warns(UserWarning, match=r"not built: its `call`.*failed for.*\(5, 4\).*reshape"):
        model.build((5, 4))
    assert not model.weights
    assert model(np.ones((3, 4), "float32")).shape == (2, 3)
    assert [tuple(v.shape) for v in model.weights] == [(6, 3), (3,)]


class Cell(layers.Layer):
    """A cell that is built by its `build` alone, and a layer that its `call` builds."""

    state_size = 3

    def __init__(self, inner: bool) -> None:
        super().__init__()
        self.inner = layers.Dense(3) if inner else None

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight((input_shape[-1], 3))

    def call(self, x: Any, states: Any) -> Any:
        state = ops.tanh(x @ self.kernel + (states[0] if self.inner is None else self.inner(states[0])))
        return state, [state]


def test_a_cell_is_built_with_the_shape_of_a_step() -> None:
    layer = layers.RNN(Cell(inner=False))
    layer.build((1, 1))  # no features: `call` could not run
    assert layer.cell.built
    assert tuple(layer.cell.kernel.shape) == (1, 3)
    layer = layers.RNN(Cell(inner=True))
    layer.build((None, 4, 2))
    assert [tuple(v.shape) for v in layer.weights] == [(2, 3), (3, 3), (3,)]


def test_a_layer_without_layers_in_a_file_is_not_built_by_its_call() -> None:
    class First(layers.Layer):
        def call(self, inputs: Any, mask: Any = None) -> Any:
            return inputs[0]

        def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
            return mask[0][:, :2]  # which None, as of shapes alone, does not allow

    config = {"call_shapes": {"inputs": [[None, 4, 3], [None, 4, 3]]}}
    First().build_from_config(config)
    First().build_from_config({"input_shape": [[None, 4, 3], [None, 4, 3]]})
