"""Methods of models that Keras 2 had: each does what today's does, and says so once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from polykeras import layers, models
from polykeras.backend import Backend

X = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
Y = X.argmax(-1)


def model_of(units: int, activation: str) -> Any:
    model = models.Sequential([layers.Input((3,)), layers.Dense(units, activation, kernel_initializer="ones")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    while True:
        yield X[:8], Y[:8]
        yield X[8:], Y[8:]


def test_generators(backend: Backend) -> None:
    old, today = model_of(3, "softmax"), model_of(3, "softmax")
    with pytest.warns(DeprecationWarning, match="`fit_generator` is a method of Keras 2; use `fit`") as caught:
        history = old.fit_generator(batches(), steps_per_epoch=2, epochs=3, verbose=0, workers=2, max_queue_size=5)
    assert [len(caught), caught[0].filename] == [1, __file__]
    expected = today.fit(batches(), steps_per_epoch=2, epochs=3, verbose=0)
    assert history.history == expected.history
    with pytest.warns(DeprecationWarning, match="use `evaluate`"):
        assert old.evaluate_generator(batches(), steps=2) == today.evaluate(batches(), steps=2, verbose=0)
    with pytest.warns(DeprecationWarning, match="use `predict`"):
        found = old.predict_generator((x for x, _ in batches()), steps=2)
    np.testing.assert_array_equal(found, today.predict(X, batch_size=8, verbose=0))


def test_classes(backend: Backend) -> None:
    several, one = model_of(3, "softmax"), model_of(1, "sigmoid")
    several.set_weights([np.eye(3), np.zeros(3)])
    with pytest.warns(DeprecationWarning, match="argmax"):
        assert several.predict_classes(X).tolist() == X.argmax(-1).tolist()
    with pytest.warns(DeprecationWarning, match="argmax"):
        assert one.predict_classes(X).tolist() == (X.sum(-1, keepdims=True) > 0).astype(int).tolist()
    with pytest.warns(DeprecationWarning, match="use `predict`"):
        np.testing.assert_array_equal(one.predict_proba(X), one.predict(X, verbose=0))


def test_states(backend: Backend) -> None:
    model = models.Sequential([layers.Input((2, 3), batch_size=4), layers.LSTM(2, stateful=True), layers.Dense(1)])
    first = model.predict(X[:4, None].repeat(2, 1), verbose=0)
    assert np.abs(model.predict(X[:4, None].repeat(2, 1), verbose=0) - first).max() > 1e-4
    with pytest.warns(DeprecationWarning, match="use `layer.reset_state"):
        model.reset_states()
    np.testing.assert_array_equal(model.predict(X[:4, None].repeat(2, 1), verbose=0), first)


def test_other_names_are_attribute_errors() -> None:
    assert not hasattr(model_of(1, "sigmoid"), "fit_nothing")
