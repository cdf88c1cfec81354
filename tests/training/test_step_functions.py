"""`make_train_function`, `make_test_function`, `make_predict_function`: one step of a loop that is written by hand."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from polykeras import Input, Sequential, layers, utils
from polykeras.backend import Backend

X: Any = np.random.default_rng(0).standard_normal((8, 3)).astype("float32")
Y: Any = X.sum(1, keepdims=True)


def compiled() -> Any:
    utils.set_random_seed(1)
    model = Sequential([Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def batches() -> Any:
    return iter([(X[:4], Y[:4]), (X[4:], Y[4:], np.ones(4, "float32"))])


def test_a_loop_by_hand_is_fit(backend: Backend) -> None:
    model, other = compiled(), compiled()
    assert model.train_function is None
    made = model.make_train_function()
    assert made is model.train_function is model.make_train_function()
    iterator = batches()
    for _ in range(2):
        logs = model.train_function(iterator)
    with pytest.raises(StopIteration):
        model.train_function(iterator)
    history = other.fit(X, Y, batch_size=4, shuffle=False, verbose=0).history
    assert logs == pytest.approx({name: values[0] for name, values in history.items()}, rel=1e-5)
    for ours, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_evaluation_and_prediction(backend: Backend) -> None:
    model = compiled()
    model.make_test_function()
    model.make_predict_function()
    expected = model.evaluate(X[:4], Y[:4], verbose=0, return_dict=True)
    model.reset_metrics()
    assert model.test_function(batches()) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(model.predict_function([X]), model.predict(X, verbose=0), rtol=1e-5)
    np.testing.assert_allclose(model.predict_function([(X, Y)]), model.predict(X, verbose=0), rtol=1e-5)


def test_functions_belong_to_one_model_as_it_was_compiled() -> None:
    model = compiled()
    first = model.make_train_function()
    assert model.make_train_function(force=True) is not first
    for twin in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert twin.train_function is None
    model.compile("sgd", "mse")
    assert model.train_function is None
    fresh = Sequential([Input((3,)), layers.Dense(1)])
    with pytest.raises(ValueError, match="must be compiled"):
        fresh.make_train_function()(batches())
