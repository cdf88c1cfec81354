"""Labels and weights in the forms that programs pass them: floats as classes, columns of frames, optimizers' switches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops
from polykeras.backend import Backend, use_backend

X = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
Y = np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.0], "float32")


def linear(optimizer: Any = "sgd", loss: Any = "mse", **kwargs: Any) -> Any:
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, kernel_initializer="ones", **kwargs)])
    model.compile(optimizer, loss)
    return model


@pytest.mark.parametrize("keys", [(0, 1), (0.0, 1.0), (np.int64(0), np.float32(1.0))])
def test_classes_are_whole_numbers_of_any_type(backend: Backend, keys: tuple[Any, Any]) -> None:
    """Labels are rounded: 0.6 belongs to class 1."""
    soft = np.where(Y > 0, 0.6, 0.4)[:, None].astype("float32")
    weights = np.where(Y > 0, 5.0, 2.0)
    found = linear().train_on_batch(X, soft, class_weight=dict(zip(keys, (2.0, 5.0), strict=True)))
    error = X.sum(1) - soft[:, 0]
    assert found == pytest.approx(float((weights * error**2).mean()), rel=1e-5)


def test_a_column_of_a_frame_has_an_axis_for_its_value(backend: Backend) -> None:
    pandas = pytest.importorskip("pandas")
    shapes: list[Any] = []

    def loss(y_true: Any, y_pred: Any) -> Any:
        shapes.append(tuple(ops.shape(y_true))[1:])
        return ops.mean(ops.square(y_true - y_pred), axis=-1)

    series = [pandas.Series(values) for values in (X[:, 0], Y, np.arange(6.0))]
    found = linear(loss=loss)
    plain = linear()
    a = found.fit(X, series[1], sample_weight=series[2], shuffle=False, verbose=0).history
    b = plain.fit(X, Y[:, None], sample_weight=np.arange(6.0), shuffle=False, verbose=0).history
    assert set(shapes) == {(1,)}
    np.testing.assert_allclose(a["loss"], b["loss"], rtol=1e-5)
    model = keras.Sequential([layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(series[0], series[1], verbose=0)
    assert model.predict(series[0], verbose=0).shape == (6, 1)


def test_names_say_which_variables_do_not_decay() -> None:
    """The layer's name does not count, as in Keras: only the variable's own."""
    expected = {"bias": (0.5, 1.0), "decays": (0.5, 0.5), "kernel|bias": (1.0, 1.0)}
    with use_backend("numpy"):
        for names, (kernel, bias) in expected.items():
            optimizer = keras.optimizers.SGD(1.0, weight_decay=0.5)
            optimizer.exclude_from_weight_decay(var_names=[names])
            layer = layers.Dense(1, kernel_initializer="ones", bias_initializer="ones", name="decays")
            layer.build((None, 3))
            optimizer.apply([ops.zeros((3, 1)), ops.zeros((1,))], layer.trainable_variables)
            assert [float(ops.max(v)) for v in layer.trainable_variables] == [kernel, bias]


def test_a_variable_that_is_passed_is_updated(backend: Backend) -> None:
    frozen = keras.Variable([1.0, 2.0], trainable=False)
    keras.optimizers.SGD(0.5).apply([ops.ones((2,))], [frozen])
    np.testing.assert_allclose(ops.convert_to_numpy(frozen), [0.5, 1.5])


@pytest.mark.parametrize("name", ["clipnorm", "clipvalue", "global_clipnorm"])
def test_a_bound_of_0_clips_nothing(backend: Backend, name: str) -> None:
    variable = keras.Variable([1.0])
    keras.optimizers.SGD(0.5, **{name: 0.0}).apply([ops.full((1,), 4.0)], [variable])
    np.testing.assert_allclose(ops.convert_to_numpy(variable), [-1.0])
