"""Files of models in the states that programs leave them in: models trained within models, losses over closures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops
from polykeras.backend import Backend

X = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
Y = X[:, :2]


def _inner() -> keras.Model:
    model = keras.Sequential([layers.Input((3,)), layers.Dense(4, activation="relu"), layers.Dense(2)])
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    return model


def _outer(inner: keras.Model) -> keras.Model:
    model = keras.Sequential([layers.Input((3,)), inner, layers.Dense(1)])
    model.compile("rmsprop", "mse")
    model.fit(X, Y[:, :1], verbose=0)
    return model


def _state(optimizer: Any) -> list[np.ndarray]:
    return [variable.numpy() for variable in optimizer.variables]


def test_a_model_within_that_was_trained_by_itself(backend: Backend, tmp_path: Path) -> None:
    inner = _inner()
    model = _outer(inner)
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    other = keras.saving.load_model(tmp_path / "m.keras")
    for a, b in ((model, other), (inner, other.layers[0])):
        for one, two in zip(_state(a.optimizer), _state(b.optimizer), strict=True):
            np.testing.assert_array_equal(one, two)
    other.layers[0].fit(X, Y, verbose=0)
    uncompiled = keras.Sequential([layers.Input((3,)), keras.models.clone_model(inner), layers.Dense(1)])
    uncompiled.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(uncompiled.predict(X, verbose=0), model.predict(X, verbose=0))


@pytest.mark.needs("numpy")
def test_a_model_within_that_was_frozen_after_its_training(tmp_path: Path) -> None:
    inner = _inner()
    inner.trainable = False
    model = _outer(inner)
    model.save(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="optimizer's state is not loaded: .* 10 arrays at .*Adam has 2"):
        other = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(other.predict(X, verbose=0), model.predict(X, verbose=0))
    assert int(other.optimizer.iterations) == 1


@pytest.mark.needs("numpy")
def test_optimizers_of_a_users_compile(tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable("programs")
    class Adversarial(keras.Model):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.judge = layers.Dense(1)

        def compile(self, optimizer: Any) -> None:
            super().compile()
            self.judges_optimizer = optimizer

        def call(self, inputs: Any) -> Any:
            return self.judge(inputs)

    model = Adversarial()
    model.compile(keras.optimizers.Adam())
    model(X)
    model.judges_optimizer.apply([ops.ones(v.shape) for v in model.trainable_variables], model.trainable_variables)
    model.save(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="has its own `compile`"):
        other = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(other.predict(X, verbose=0), model.predict(X, verbose=0))
    other.compile(keras.optimizers.Adam())
    with pytest.warns(UserWarning, match="6 arrays at 'judges_optimizer'"):  # it is not known what it trains
        other.load_weights(tmp_path / "m.keras")


def _weighted(weight: Any) -> Any:
    return lambda y_true, y_pred, power=2: ops.mean(ops.multiply(weight, ops.abs(y_true - y_pred) ** power))


def test_a_loss_over_a_closure(backend: Backend, tmp_path: Path) -> None:
    model = keras.Sequential([layers.Input((3,)), layers.Dense(2)])
    model.compile("sgd", _weighted(3.0), metrics=[_weighted(np.float32([1.0, 2.0]))])
    expected = model.evaluate(X, Y, verbose=0)
    for name in ("m.keras", "m.h5"):
        model.save(tmp_path / name)
        with pytest.raises(ValueError, match="safe_mode=False"):
            keras.saving.load_model(tmp_path / name)
        other = keras.saving.load_model(tmp_path / name, safe_mode=False)
        np.testing.assert_allclose(other.evaluate(X, Y, verbose=0), expected, rtol=1e-6)


@pytest.mark.needs("numpy")
def test_a_loss_over_a_model(tmp_path: Path) -> None:
    judge = keras.Sequential([layers.Input((2,)), layers.Dense(1)])
    model = keras.Sequential([layers.Input((3,)), layers.Dense(2)])
    model.compile("adam", lambda y_true, y_pred: ops.mean(judge(y_true) - judge(y_pred)), metrics=["mae"])
    model.fit(X, Y, verbose=0)
    for name in ("m.keras", "m.h5"):
        with pytest.warns(UserWarning, match=r"`loss` of `compile` is left out .*variable 'judge'.*Sequential"):
            model.save(tmp_path / name)
        other = keras.saving.load_model(tmp_path / name)
        assert other.loss is None
        assert len(_state(other.optimizer)) == len(_state(model.optimizer))
        other.compile(other.optimizer, "mse")
        other.fit(X, Y, verbose=0)


def test_a_lambda_layer_over_a_closure(backend: Backend, tmp_path: Path) -> None:
    def powers(count: int, scale: np.ndarray) -> Any:
        return layers.Lambda(lambda x, offset=1.0: ops.multiply(scale, x**count) + offset)

    model = keras.Sequential([layers.Input((3,)), powers(3, np.float32([1, 2, 3]))])
    for name in ("m.keras", "m.h5"):
        model.save(tmp_path / name)
        other = keras.saving.load_model(tmp_path / name, safe_mode=False)
        np.testing.assert_allclose(other.predict(X, verbose=0), X**3 * [1, 2, 3] + 1, rtol=1e-5)


@pytest.mark.needs("numpy")
def test_a_lambda_layer_over_a_layer() -> None:
    dense = layers.Dense(1)
    with pytest.raises(NotImplementedError, match="variable 'dense' .*a state of its own"):
        layers.Lambda(lambda x: dense(x)).get_config()


class Reshaped(layers.Layer):
    """Needs a tuple."""

    def __init__(self, shape: tuple[int, ...], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.whole = (-1, *((1,) + shape))  # noqa: RUF005

    def call(self, inputs: Any) -> Any:
        return ops.reshape(inputs, self.whole)


@pytest.mark.needs("numpy")
def test_tuples_stay_tuples_in_memory() -> None:
    assert layers.Conv2D(4, (3, 2)).get_config()["kernel_size"] == (3, 2)
    layer = Reshaped((3, 1))
    assert layer.get_config()["shape"] == (3, 1)
    assert Reshaped.from_config(layer.get_config()).whole == (-1, 1, 3, 1)
    model = keras.Sequential([layers.Input((3,)), layer])
    assert keras.models.clone_model(model).layers[0].whole == (-1, 1, 3, 1)
    inputs = layers.Input((3,))
    graph = keras.Model(inputs, layer(inputs))
    with keras.saving.custom_object_scope({"Reshaped": Reshaped}):
        assert keras.Model.from_config(graph.get_config()).layers[1].whole == (-1, 1, 3, 1)


@pytest.mark.needs("numpy")
@pytest.mark.parametrize("by_name", [True, False])
def test_weights_of_a_layer_that_fit(by_name: bool, tmp_path: Path) -> None:
    def model(width: int) -> keras.Model:
        return keras.Sequential([layers.Input((width,)), layers.Dense(2, name="d", bias_initializer="ones")])

    model(3).save_weights(tmp_path / "m.h5")
    other = model(4)
    other.layers[0].bias.assign([5.0, 5.0])
    kernel = other.layers[0].kernel.numpy()
    with pytest.warns(UserWarning, match="left out: d: the arrays do not fit 'd'"):
        other.load_weights(tmp_path / "m.h5", skip_mismatch=True, by_name=by_name)
    np.testing.assert_array_equal(other.layers[0].bias.numpy(), [1, 1])
    np.testing.assert_array_equal(other.layers[0].kernel.numpy(), kernel)


@pytest.mark.needs("numpy")
def test_a_weight_that_two_layers_hold_is_once_in_h5(tmp_path: Path) -> None:
    model = keras.Sequential([layers.Input((3,)), layers.SpectralNormalization(layers.Dense(2))])
    model.layers[0].vector_u.assign([[3.0, 4.0]])
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        group = file["model_weights"][model.layers[0].name]
        assert [group[name].shape for name in group.attrs["weight_names"]] == [(3, 2), (2,), (1, 2)]  # as in Keras
    other = keras.saving.load_model(tmp_path / "m.h5")
    for one, two in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())


@pytest.mark.needs("numpy")
def test_attention_under_the_name_of_its_class_in_keras(tmp_path: Path) -> None:
    inputs = keras.Input((3, 4))
    model = keras.Model(inputs, layers.GroupQueryAttention(2, 4, 2)(inputs, inputs))
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "a") as file:  # as Keras writes it
        config = file.attrs["model_config"].replace("GroupQueryAttention", "GroupedQueryAttention")
        file.attrs["model_config"] = config
    other = keras.saving.load_model(tmp_path / "m.h5")
    assert isinstance(other.layers[1], layers.GroupQueryAttention)
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    np.testing.assert_array_equal(other.predict(x, verbose=0), model.predict(x, verbose=0))


def test_a_layer_of_two_inner_models_has_one_number_in_both() -> None:
    shared = keras.layers.Dense(3, name="shared")
    first, second = (keras.Sequential([keras.Input((3,)), shared], name=name) for name in ("first", "second"))
    x = keras.Input((3,))
    model = keras.Model(x, second(first(x)))
    inner = [entry["config"]["layers"][1] for entry in json.loads(model.to_json())["config"]["layers"][1:]]
    assert inner[0]["shared_object_id"] == inner[1]["shared_object_id"]
