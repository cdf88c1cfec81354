"""What freezing does, as in Keras: which weights are trained, and that the order of weights, and so files, stay the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polykeras import Input, Layer, Model, Sequential, Variable, layers, ops
from polykeras.backend import Backend
from polykeras.models import clone_model, load_model

X = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")


def names(layer: Layer) -> list[str]:
    return [variable.name for variable in layer.weights]


@pytest.mark.parametrize("kind", [".keras", ".weights.h5", "set_weights"])
def test_one_frozen_variable_changes_no_order(backend: Backend, tmp_path: Path, kind: str) -> None:
    def made() -> Model:
        return Sequential([Input((3,)), layers.LayerNormalization(), layers.Dense(2)])

    model = made()
    model.set_weights([np.full(w.shape, i, "float32") for i, w in enumerate(model.weights)])
    before = [w.numpy() for w in model.weights]
    model.layers[0].gamma.trainable = False
    model.layers[1].kernel.trainable = False
    assert names(model) == ["gamma", "beta", "kernel", "bias"]
    assert [v.name for v in model.trainable_weights] == ["beta", "bias"]
    assert [v.name for v in model.non_trainable_weights] == ["gamma", "kernel"]
    path = tmp_path / f"model{kind}"
    if kind == ".keras":
        model.save(path)
        other = load_model(path)
    elif kind == "set_weights":
        other = made()
        other.set_weights(model.get_weights())
    else:
        model.save_weights(path)
        other = made()
        other.load_weights(path)
    for mine, theirs in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


class Mixture(Layer):
    """Makes variables in both ways."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.bias = None
        self.scale = Variable(1.0, name="scale")
        self.steps = Variable(0, dtype="int32", trainable=False, name="steps")

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight((input_shape[-1],), name="kernel")
        self.several = [Variable(2.0, name="first")]
        self.total = self.add_weight((), "zeros", trainable=False, name="total")
        self.bias = self.add_weight((), "zeros", name="bias")

    def call(self, x: Any) -> Any:
        return ops.sum(x * self.kernel, -1) * self.scale + self.bias


def test_weights_come_as_they_were_made_trained_ones_first(backend: Backend) -> None:
    """As Keras lists them."""
    layer = Mixture()
    layer(X)
    expected = ["scale", "kernel", "first", "bias", "steps", "total"]
    assert names(layer) == expected
    layer.trainable = False
    assert names(layer) == expected
    layer.steps.trainable = True
    layer.trainable = True
    assert names(layer) == expected
    assert [v.name for v in layer.trainable_weights] == expected[:5]


def test_trainable_of_a_layer_sets_that_of_its_variables(backend: Backend) -> None:
    norm = layers.BatchNormalization()
    norm.build((None, 3))
    norm.gamma.trainable = False
    norm.trainable = True
    assert [v.trainable for v in norm.weights] == [True, True, False, False]
    norm.trainable = False
    assert not any(v.trainable for v in norm.weights)


def test_a_layer_frozen_before_it_is_built_has_frozen_variables(backend: Backend) -> None:
    for layer in (layers.Dense(2, trainable=False), layers.Dense(2)):
        layer.trainable = False
        model = Sequential([layer, layers.Dense(1)])
        model(X)
        assert [v.trainable for v in model.weights] == [False, False, True, True]
        assert len(model.trainable_weights) == 2


def test_the_last_layers_of_a_frozen_base_may_be_thawed(backend: Backend) -> None:
    """`base.trainable = False`, then some of its layers: within a model these are trained, as in Keras."""
    base = Sequential([Input((3,)), layers.Dense(3, name="below"), layers.Dense(3, name="above")])
    base.trainable = False
    base.layers[-1].trainable = True
    model = Sequential([Input((3,)), base, layers.Dense(1, name="head")])
    assert base.trainable_weights == []
    assert [v.path.split("/")[-2] for v in model.trainable_weights] == ["above", "above", "head", "head"]
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.fit(X, X[:, :1], verbose=0)
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert changed == [False, False, True, True, True, True]
    assert [v.trainable for v in clone_model(model).weights] == [False, False, True, True, True, True]


def test_a_composed_layer_made_frozen_stays_so_within_a_model(backend: Backend, tmp_path: Path) -> None:
    """Keras trains what is within such a layer, once the model is loaded from a file."""
    x = Input((4, 3))
    attention = layers.MultiHeadAttention(2, 2)
    attention.trainable = False
    y = attention(x, x)
    model = Model(x, layers.Dense(1)(y))
    model.save(tmp_path / "model.keras")
    made = Model(x, layers.Dense(1)(layers.MultiHeadAttention(2, 2, trainable=False)(x, x)))
    for one in (model, load_model(tmp_path / "model.keras"), made):
        assert len(one.trainable_weights) == 2


def test_layers_in_a_set_are_found(backend: Backend, tmp_path: Path) -> None:
    class Several(Model):
        def __init__(self) -> None:
            super().__init__()
            self.parts = {layers.Dense(3, name="one"), layers.Dense(3, name="two")}

        def call(self, x: Any) -> Any:
            return sum(part(x) for part in self.parts)

    model, other = Several(), Several()
    result = model(X)
    assert len(model.weights) == 4
    model.save_weights(tmp_path / "set.weights.h5")
    other(X)
    other.load_weights(tmp_path / "set.weights.h5")
    np.testing.assert_allclose(np.asarray(other(X)), np.asarray(result), rtol=1e-6)


def test_a_layer_made_frozen_freezes_variables_in_its_attributes(backend: Backend) -> None:
    class Scale(Layer):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.scale = Variable(1.0)

        def call(self, x: Any) -> Any:
            return x * self.scale

    model = Sequential([Scale(trainable=False), layers.Dense(1)])
    model(X)
    assert len(model.trainable_weights) == 2
