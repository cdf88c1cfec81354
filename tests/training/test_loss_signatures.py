"""A user's `compute_loss` is passed what it takes: Keras's signatures of all times, and looser ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras as keras
from helpers import data
from polykeras import Input, Model, layers, ops
from polykeras.backend import Backend
from polykeras.common.arguments import call_with_taken

OFFERED = {"x": 1, "y": 2, "y_pred": 3, "sample_weight": 4, "training": 5}


def taken(function: Any) -> Any:
    return call_with_taken(function, OFFERED, {"y_true": "y"})


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (
            lambda x=None, y=None, y_pred=None, sample_weight=None, training=True: (
                x,
                y,
                y_pred,
                sample_weight,
                training,
            ),
            (1, 2, 3, 4, 5),
        ),
        (lambda x=None, y=None, y_pred=None, sample_weight=None: (x, y, y_pred, sample_weight), (1, 2, 3, 4)),
        (lambda x, y, y_pred, sample_weight, allow_empty=False: (x, y_pred, allow_empty), (1, 3, False)),
        (lambda y, y_pred: (y, y_pred), (2, 3)),
        (lambda y_true, y_pred, sample_weight=None: (y_true, y_pred, sample_weight), (2, 3, 4)),
        (lambda y_pred, y: (y_pred, y), (3, 2)),
        (lambda y=0, other=7, y_pred=0: (y, other, y_pred), (2, 7, 3)),
        (lambda inputs, targets, outputs, weights: (inputs, targets, outputs, weights), (1, 2, 3, 4)),
        (lambda data, y, y_pred, *, training: (data, y, y_pred, training), (1, 2, 3, 5)),
        (lambda x, y, y_pred, /: (x, y, y_pred), (1, 2, 3)),
        (lambda *args: args, (1, 2, 3, 4, 5)),
        (lambda x, *rest: (x, *rest), (1, 2, 3, 4, 5)),
        (lambda **kwargs: kwargs, OFFERED),
        (lambda *args, **kwargs: (args, kwargs), ((), OFFERED)),
        (lambda y, y_pred, **kwargs: (y, y_pred, kwargs), (2, 3, {"x": 1, "sample_weight": 4, "training": 5})),
        (lambda: "nothing", "nothing"),
    ],
)
def test_functions_get_what_they_take(function: Any, expected: Any) -> None:
    assert taken(function) == expected


def test_what_cannot_be_given_is_python_s_own_error() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'f'"):
        taken(lambda a, b, c, d, e, f: None)


def square(y: Any, y_pred: Any) -> Any:
    return ops.mean(ops.square(y - y_pred))


class Old(Model):
    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None) -> Any:
        return square(y, y_pred)


class Bare(Model):
    def compute_loss(self, y: Any, y_pred: Any) -> Any:
        return square(y, y_pred)


class Loose(Model):
    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        return super().compute_loss(*args, **kwargs)


class Named(Model):
    def compute_loss(self, inputs: Any, targets: Any, outputs: Any, weights: Any = None) -> Any:
        return square(targets, outputs)


class Today(Model):
    def compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None, training: bool = True) -> Any:
        return super().compute_loss(x, y, y_pred, sample_weight, training)


def test_models_learn_by_them(backend: Backend) -> None:
    rows, labels = data(24, 3), data(24, 1, seed=1)
    results = []
    for cls in (Model, Old, Bare, Loose, Named, Today):
        x = Input((3,))
        model = cls(x, layers.Dense(1, kernel_initializer="ones")(x))
        model.compile(keras.optimizers.SGD(0.1), "mse")
        history = model.fit(rows, labels, batch_size=8, epochs=2, shuffle=False, verbose=0).history["loss"]
        results.append([*history, model.evaluate(rows, labels, verbose=0)])
    np.testing.assert_allclose(results, [results[0]] * len(results), rtol=1e-5)


def test_a_mistake_in_the_losses_is_told_each_time(backend: Backend) -> None:
    inputs = layers.Input((2,))
    model = Model(inputs, [layers.Dense(1, name="a")(inputs), layers.Dense(1, name="b")(inputs)])
    model.compile("sgd", loss=[None, None])
    x, y = np.ones((4, 2), "float32"), np.ones((4, 1), "float32")
    for _ in range(2):  # the second time labels are looked at first
        with pytest.raises(ValueError, match="No output has a loss"):
            model.fit(x, [y, y], verbose=0)
