"""NumPy's numbers and arrays where Python's are usual: sizes, hyper-parameters, labels and weights in lists; bfloat16."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import polykeras as keras
from polykeras import layers as L
from polykeras import losses, ops, optimizers
from polykeras.backend import Backend

INT: Any = np.int64
F: Any = np.float32
PAIR: Any = np.array([3, 2])
X = np.arange(8, dtype="float32").reshape(4, 2)
Y = np.array([[0.0], [1.0], [0.0], [1.0]], "float32")
WEIGHTS = np.array([1.0, 0.5, 1.0, 0.5], "float32")
RANGE = (F(-0.25), F(0.25))

SHAPES: dict[str, tuple[Callable[[], Any], Any]] = {
    "reshape": (lambda: L.Reshape((INT(3), -1))(ops.ones((2, 6))).shape, (2, 3, 2)),
    "reshape, array": (lambda: L.Reshape(np.array([3, -1]))(L.Input((6,))).shape, (None, 3, 2)),
    "dense": (lambda: L.Dense(2).compute_output_shape([None, INT(3)]), (None, 2)),
    "conv": (lambda: L.Conv2D(2, 2).compute_output_shape((None, INT(8), 8, 3)), (None, 7, 7, 2)),
    "conv, array": (lambda: L.Conv2D(2, PAIR).compute_output_shape((None, 8, 8, 3)), (None, 6, 7, 2)),
    "pool": (lambda: L.MaxPooling2D(PAIR).compute_output_shape((None, 9, 8, 3)), (None, 3, 4, 3)),
    "add": (lambda: L.Add().compute_output_shape([(None, INT(8)), (None, INT(8))]), (None, 8)),
    "tensor": (lambda: keras.KerasTensor((INT(2), None, 3)).shape, (2, None, 3)),
    "tensor, array": (lambda: keras.KerasTensor(PAIR).shape, (3, 2)),
    "zero padding": (lambda: L.ZeroPadding1D((INT(1), 2)).compute_output_shape((None, 4, 3)), (None, 7, 3)),
    "cropping": (lambda: L.Cropping1D(np.array([1, 2])).compute_output_shape((None, 4, 3)), (None, 1, 3)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_sizes(backend: Backend, name: str) -> None:
    make, expected = SHAPES[name]
    shape = make()
    assert tuple(shape) == expected
    assert all(type(n) in (int, type(None)) for n in shape)


ARGUMENTS: dict[str, tuple[Callable[..., Any], str, Any, Any]] = {  # what, its argument, given, in the config
    "target_shape": (L.Reshape, "target_shape", (INT(3), -1), (3, -1)),
    "kernel_size": (lambda **kwargs: L.Conv2D(2, **kwargs), "kernel_size", PAIR, (3, 2)),
    "pool_size": (L.MaxPooling2D, "pool_size", PAIR, (3, 2)),
    "padding": (L.ZeroPadding2D, "padding", np.array([[1, 2], [3, 4]]), ((1, 2), (3, 4))),
    "accumulation": (optimizers.Adam, "gradient_accumulation_steps", INT(2), 2),
    "overwriting": (optimizers.Adam, "ema_overwrite_frequency", INT(2), 2),
    "noise": (L.GaussianNoise, "stddev", F(0.5), 0.5),
    "rotation": (L.RandomRotation, "factor", RANGE, (-0.25, 0.25)),
    "one rotation": (L.RandomRotation, "factor", F(0.25), (-0.25, 0.25)),
    "brightness": (L.RandomBrightness, "factor", INT(1), (-1, 1)),
    "value range": (lambda **kwargs: L.RandomBrightness(0.5, **kwargs), "value_range", (INT(0), INT(1)), [0, 1]),
    "blur": (L.RandomGaussianBlur, "kernel_size", (INT(3), INT(5)), (3, 5)),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments(backend: Backend, name: str) -> None:
    make, argument, given, expected = ARGUMENTS[name]
    made = make(**{argument: given})
    found = made.get_config()[argument]
    assert found == expected
    assert json.dumps(found) == json.dumps(expected)
    assert type(made).from_config(made.get_config()).get_config()[argument] == expected


def _model() -> Any:
    model = keras.Sequential([L.Input((2,)), L.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse", weighted_metrics=[])
    return model


LISTS: dict[str, tuple[Callable[[], Any], Any]] = {
    "weights": (lambda: _model().train_on_batch(X[:2], Y[:2], sample_weight=[np.float64(0.5), np.float64(1.0)]), 8.25),
    "int weights": (lambda: _model().train_on_batch(X[:2], Y[:2], sample_weight=(INT(1), INT(2))), 16.5),
    "lookup": (lambda: L.IntegerLookup(vocabulary=[1, 2])([INT(1), INT(2)]), [1, 2]),
    "lookup, rows": (
        lambda: L.IntegerLookup(vocabulary=[1, 2])([[INT(1), INT(2)], [INT(2), INT(3)]]),
        [[1, 2], [2, 0]],
    ),
    "lookup, 0-d": (lambda: L.IntegerLookup(vocabulary=[1, 2])([np.array(1), np.array(2)]), [1, 2]),
    "hashing": (lambda: L.Hashing(4)([INT(1), INT(2)]), [1, 3]),
    "crossing": (lambda: L.HashedCrossing(4)(([INT(1), INT(2)], [INT(1), INT(2)])), [1, 3]),
}


@pytest.mark.parametrize("name", LISTS)
def test_lists(backend: Backend, name: str) -> None:
    make, expected = LISTS[name]
    assert_allclose(ops.convert_to_numpy(make()), expected, rtol=1e-6)


def test_adapt_to_a_list(backend: Backend) -> None:
    layer = L.IntegerLookup()
    layer.adapt([INT(1), INT(2), INT(2)])
    assert layer.get_vocabulary() == [-1, 2, 1]


@pytest.mark.parametrize("alpha", [[0.2, 0.3, 0.5], (0.2, 0.3, 0.5), np.array([0.2, 0.3, 0.5])], ids=str)
def test_focal_weight_of_each_class(backend: Backend, alpha: Any) -> None:
    y_true = np.eye(3, dtype="float32")[[0, 1, 2, 1]]
    y_pred = np.array([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.2, 0.2, 0.6], [0.8, 0.1, 0.1]], "float32")
    loss = losses.CategoricalFocalCrossentropy(alpha=alpha)
    assert_allclose(float(loss(y_true, y_pred)), 0.1648927927017212, rtol=1e-6)  # of Keras 3.15.1
    p = (y_true * y_pred).sum(-1)
    expected = (y_true * np.asarray(alpha)).sum(-1) * (1 - p) ** 2 * -np.log(p)
    rows = losses.categorical_focal_crossentropy(y_true, y_pred, alpha=alpha)
    assert_allclose(ops.convert_to_numpy(rows), expected, rtol=1e-5)


def _half(x: Any, grad: bool = False) -> Any:
    torch = pytest.importorskip("torch")
    return torch.tensor(x, dtype=torch.bfloat16, requires_grad=grad)


BFLOAT16: dict[str, tuple[Callable[[], Any], Any]] = {
    "fit": (lambda: _model().fit(_half(X), _half(Y), 4, 1, 0, sample_weight=_half(WEIGHTS)).history["loss"], [40.5]),
    "fit, x only": (lambda: _model().fit(_half(X), Y, 4, verbose=0, sample_weight=WEIGHTS).history["loss"], [40.5]),
    "evaluate": (lambda: _model().evaluate(_half(X), _half(Y), verbose=0, sample_weight=_half(WEIGHTS)), 40.5),
    "predict": (lambda: _model().predict(_half(X), verbose=0), [[1], [5], [9], [13]]),
    "with a gradient": (lambda: _model().predict(_half(X, True), verbose=0), [[1], [5], [9], [13]]),
    "train_on_batch": (lambda: _model().train_on_batch(_half(X), _half(Y), _half(WEIGHTS)), 40.5),
    "test_on_batch": (lambda: _model().test_on_batch(_half(X), _half(Y), _half(WEIGHTS)), 40.5),
    "predict_on_batch": (lambda: _model().predict_on_batch(_half(X)), [[1], [5], [9], [13]]),
    "normalization": (
        lambda: L.Normalization(mean=_half([2.0, 3.0]), variance=_half([4.0, 16.0]))(X[:2]),
        [[-1, -0.5], [0, 0]],
    ),
    "its config": (
        lambda: L.Normalization(mean=_half([2.0, 3.0]), variance=_half([4.0, 16.0])).get_config()["mean"],
        [2.0, 3.0],
    ),
}


@pytest.mark.parametrize("name", BFLOAT16)
def test_bfloat16_tensors_of_torch(backend: Backend, name: str) -> None:
    make, expected = BFLOAT16[name]
    assert_allclose(ops.convert_to_numpy(make()), expected, rtol=1e-6)
