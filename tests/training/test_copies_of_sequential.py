"""Copies of sequential models, as Keras makes them: what is frozen in them, layers they hold twice, other inputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polykeras import Input, Layer, Model, Sequential, layers, ops
from polykeras.backend import Backend
from polykeras.models import clone_model, load_model, model_from_json
from training.test_summary import rows_of, summary_of

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")


def frozen() -> Sequential:
    model = Sequential([Input((3,)), layers.Dense(4), layers.Dense(2)])
    model.trainable = False
    return model


@pytest.fixture(params=[".keras", ".h5", "config", "json"])
def restored(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Any], Any]:
    """A function that makes a model again from a file or its config."""

    def from_file(model: Model) -> Any:
        path = tmp_path / f"model{request.param}"
        model.save(path)
        return load_model(path)

    ways: dict[str, Callable[[Any], Any]] = {
        "config": lambda model: type(model).from_config(model.get_config()),
        "json": lambda model: model_from_json(model.to_json()),
    }
    return ways.get(request.param, from_file)


# ---- what is frozen --------------------------------------------------------------------------------------------------


def test_a_thawed_layer_of_a_restored_model_is_trained(backend: Backend, restored: Callable[[Any], Any]) -> None:
    """The model itself is not frozen, only its layers are."""
    model = restored(frozen())
    assert model.trainable
    assert [layer.trainable for layer in model.layers] == [False, False]
    assert model.trainable_weights == []
    model.layers[-1].trainable = True
    assert len(model.trainable_weights) == 2
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.fit(X, X[:, :2], verbose=0)
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert changed == [False, False, True, True]


def test_a_frozen_model_within_a_restored_one(backend: Backend, restored: Callable[[Any], Any]) -> None:
    x = Input((3,))
    for model in (Sequential([Input((3,)), frozen(), layers.Dense(1)]), Model(x, layers.Dense(1)(frozen()(x)))):
        copied = restored(model)
        inner = copied.layers[-2]
        assert inner.trainable
        assert len(copied.trainable_weights) == 2
        inner.layers[-1].trainable = True
        assert (len(inner.trainable_weights), len(copied.trainable_weights)) == (2, 4)


def test_a_clone_of_a_frozen_model_is_frozen(backend: Backend) -> None:
    model = clone_model(frozen())
    assert not model.trainable
    model.layers[-1].trainable = True
    assert model.trainable_weights == []
    outer = clone_model(Sequential([Input((3,)), frozen(), layers.Dense(1)]))
    inner = outer.layers[0]
    assert outer.trainable
    assert inner.trainable  # it is a layer of the clone, and so made from its config
    inner.layers[-1].trainable = True
    assert len(outer.trainable_weights) == 4
    outer = clone_model(Sequential([Input((3,)), frozen(), layers.Dense(1)]), recursive=True)
    assert not outer.layers[0].trainable  # a clone too


# ---- what is cloned --------------------------------------------------------------------------------------------------


def test_a_layer_held_twice_is_cloned_once(backend: Backend) -> None:
    shared = layers.Dense(3, name="shared")
    model = Sequential([Input((3,)), shared, layers.ReLU(name="act"), shared])
    met: list[str] = []

    def clone(layer: Layer) -> Any:
        met.append(layer.name)
        return type(layer).from_config(layer.get_config())

    for copied in (clone_model(model), clone_model(model, clone_function=clone)):
        assert [layer.name for layer in copied.layers] == ["shared", "act", "shared"]
        assert copied.layers[0] is copied.layers[2]
        assert copied.layers[0] is not shared
        copied.set_weights(model.get_weights())
        np.testing.assert_allclose(np.asarray(copied.predict(X)), np.asarray(model.predict(X)), rtol=1e-6)
    assert met == ["shared", "act"]


def test_a_clone_that_begins_with_another_tensor_is_sequential(backend: Backend) -> None:
    model = Sequential([Input((3,), name="start"), layers.Dense(4, name="one")], name="mine")
    without_input = Sequential([layers.Dense(4, name="one")])
    for original in (model, without_input):
        tensor = Input((5,))
        copied = clone_model(original, input_tensors=tensor)
        assert type(copied) is Sequential
        assert [layer.name for layer in copied.layers] == ["one"]
        assert copied.inputs[0] is tensor
        assert copied.layers[0].kernel.shape == (5, 4)
        assert copied.name == original.name
    assert clone_model(model, input_tensors=[Input((3,))])._layers[0].name == "start"


@pytest.mark.parametrize("given", [[Input((3,)), Input((3,))], [], X], ids=["two", "none", "an array"])
def test_a_clone_of_a_sequential_begins_with_one_tensor(given: Any) -> None:
    with pytest.raises(ValueError, match="must be one symbolic tensor"):
        clone_model(frozen(), input_tensors=given)


# ---- summaries -------------------------------------------------------------------------------------------------------


def test_summaries_say_what_is_connected_where_a_graph_is_no_chain() -> None:
    x, other = Input((3,), name="x"), Input((3,), name="other")
    hidden = layers.Dense(3, name="hidden")
    h = hidden(x)
    branches = Model(x, [layers.Dense(3, name="left")(h), layers.Dense(3, name="right")(h)])
    assert [row[-1] for row in rows_of(summary_of(branches))] == ["-", "x[0][0]", "hidden[0][0]", "hidden[0][0]"]
    twice = Model(x, hidden(h))
    assert [row[-1] for row in rows_of(summary_of(twice))] == ["-", "x[0][0], hidden[0][0]"]
    for model in (Model([x, other], [h, layers.Dense(2)(other)]), Model([x, other], h)):
        assert "Connected to" in summary_of(model)


def test_summaries_of_chains_leave_it_out() -> None:
    x = Input((3,))
    h = layers.Dense(3)(x)
    act = layers.ReLU()
    for model in (Model(x, layers.Dense(2)(h)), Model(x, [h, layers.Dense(2)(h)]), Sequential([Input((3,)), act, act])):
        assert "Connected to" not in summary_of(model)


# ---- graphs of what data has built ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["call", "fit", "predict"])
def test_layers_have_outputs_after_data_has_built_the_model(how: str, backend: Backend) -> None:
    """Published scripts cut models by `model.layers[i].output`."""
    model = Sequential([layers.Dense(4, name="one"), layers.Dense(2, name="two")])
    if how == "call":
        model(X)
    elif how == "predict":
        model.predict(X, verbose=0)
    else:
        model.compile("sgd", "mse")
        model.fit(X, X[:, :2], verbose=0)
    assert [layer.output.shape for layer in model.layers] == [(None, 4), (None, 2)]
    cut = Model(model.inputs, model.get_layer("one").output)
    np.testing.assert_allclose(cut.predict(X, verbose=0), np.asarray(model.layers[0](X)), rtol=1e-6)


def test_a_build_of_ones_own_runs_once(tmp_path: Path, backend: Backend) -> None:
    class Own(Sequential):
        def build(self, shape: Any) -> None:
            for layer in self.layers:
                layer.build(shape)
                shape = layer.compute_output_shape(shape)
            self.built = True

    model = Own([layers.Dense(4), layers.Dense(2)])
    model(X)
    weights = model.get_weights()
    assert model.layers[0].output.shape == (None, 4)
    model.summary(print_fn=lambda line: None)
    model.save_weights(tmp_path / "own.weights.h5")
    assert len(model.weights) == len(weights) == 4
    for now, before in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(now, before)


def test_reading_the_layers_keeps_the_losses(backend: Backend) -> None:
    class Adds(Layer):
        def call(self, x: Any) -> Any:
            self.add_loss(ops.sum(x))
            return x

    model = Sequential([Adds(), layers.Dense(2)])
    model(X)
    assert len(model.layers) == 2
    np.testing.assert_allclose(ops.convert_to_numpy(model.losses[0]), X.sum(), rtol=1e-5)


def test_two_layers_of_one_name_are_not_one_layer() -> None:
    config = Sequential([Input((3,)), layers.Dense(3, name="d"), layers.Dense(3, name="e", activation="tanh")])
    config = config.get_config()
    config["layers"][2]["config"]["name"] = "d"
    with pytest.raises(ValueError, match="have the name 'd'"):
        Sequential.from_config(config)


def test_a_layer_held_twice_comes_back_once(tmp_path: Path) -> None:
    shared = layers.Dense(3, name="shared")
    model = Sequential([Input((3,)), shared, shared])
    model.save(tmp_path / "twice.keras")
    loaded = load_model(tmp_path / "twice.keras")
    assert loaded.layers[0] is loaded.layers[1]
    np.testing.assert_allclose(loaded.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-6)


def test_a_model_without_layers_is_not_built() -> None:
    with pytest.raises(ValueError, match="has no layers yet"):
        Sequential().build((None, 3))


def test_paths_of_weights_where_build_calls_the_model() -> None:
    class Two(Model):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.one = layers.Dense(2, name="one")

        def build(self, shape: Any) -> None:
            super().build(shape)

        def call(self, x: Any) -> Any:
            return self.one(x)

    model = Two(name="two")
    model.build((None, 3))
    assert [weight.path for weight in model.weights] == ["two/one/kernel", "two/one/bias"]
