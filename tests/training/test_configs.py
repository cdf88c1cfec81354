"""Configs of models and clones; models without any framework."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import polykeras
from helpers import data, host
from polykeras import Input, Model, Sequential, layers, ops
from polykeras.backend import Backend
from polykeras.models import Functional, clone_model, model_from_json

# ---- configs ---------------------------------------------------------------------------------------------------------


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
        # As in Keras a layer of a Sequential that is read is built before it, and so does not have its name in the path.
        assert [v.path.split("/")[-2:] for v in twin.weights] == [v.path.split("/")[-2:] for v in model.weights]
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


# ---- without any framework -------------------------------------------------------------------------------------------


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


def test_shapes_of_a_call_without_a_build_are_kept_apart(backend: Backend) -> None:
    """Keras would call `build`, which takes one shape, with all that `shapes_dict` names."""

    class Pair(layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.inner = layers.Dense(2)

        def call(self, first: Any, second: Any) -> Any:
            return self.inner(first + second)

    layer = Pair()
    layer(np.ones((4, 3), "float32"), np.ones((4, 3), "float32"))
    config = layer.get_build_config()
    assert config == {"call_shapes": {"first": (4, 3), "second": (4, 3)}}
    for known in (config, {"shapes_dict": {"first_shape": (4, 3), "second_shape": (4, 3)}}):
        twin = Pair()
        twin.build_from_config(known)
        assert [variable.shape for variable in twin.weights] == [(3, 2), (2,)]
