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


@pytest.mark.parametrize("kind", ["train", "test", "predict"])
def test_an_index_that_an_embedding_does_not_have_is_refused(kind: str, backend: Backend) -> None:
    model = Sequential([Input((2,), dtype="int32"), layers.Embedding(5, 3), layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    function = getattr(model, f"make_{kind}_function")()
    with pytest.raises(ValueError, match="7"):
        function(iter([(np.array([[1, 7]]), np.ones((1, 1)))]))


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ((X[:4], Y[:3]), "same number of samples"),
        ((X[:4], np.float32(1)), "is a scalar"),
        ((X[:4] * np.float32("nan"), Y[:4]), "contains nan"),
        ((X[:4], Y[:4], np.ones(4), np.ones(4)), "a tuple of 4 parts"),
    ],
)
def test_a_batch_is_checked_as_fit_checks_it(batch: Any, message: str) -> None:
    model = compiled()
    with pytest.raises(ValueError, match=message):
        model.make_train_function()([batch])
    with pytest.raises(ValueError, match=message):
        model.fit(iter([batch]), verbose=0)


def test_functions_belong_to_one_model_as_it_was_compiled() -> None:
    model = compiled()
    first = model.make_train_function()
    assert model.make_train_function(force=True) is not first
    for twin in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert twin.train_function is None
    model.compile("sgd", "mse")
    assert model.train_function is None
    fresh = Sequential([Input((3,)), layers.Dense(1)])
    with pytest.raises(ValueError, match="You must call `compile"):
        fresh.make_train_function()(batches())


class Counts(Sequential):
    """Overrides the method that Keras documents for this, around the function that there would be."""

    calls = 0

    def make_train_function(self, force: bool = False) -> Any:
        super().make_train_function(force=True)
        ours: Any = self.train_function

        def function(iterator: Any) -> Any:
            self.calls += 1
            logs = [ours([batch]) for batch in iterator]
            return logs[-1] | {"batches": len(logs)}

        self.train_function = function
        return function


@pytest.mark.parametrize("stream", [False, True])
def test_fit_runs_what_an_overridden_method_made(backend: Backend, stream: bool) -> None:
    other = compiled()
    utils.set_random_seed(1)
    model = Counts([Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1)])
    for each in (model, other):
        each.compile("adam", "mse", metrics=["mae"], steps_per_execution=2)
        each.set_weights(compiled().get_weights())

    def history(model: Any) -> dict[str, Any]:
        if not stream:
            return model.fit(X, Y, batch_size=3, shuffle=False, epochs=2, verbose=0).history
        data = ((X[i : i + 3], Y[i : i + 3]) for _ in range(2) for i in (0, 3, 6))
        return model.fit(data, steps_per_epoch=3, epochs=2, verbose=0).history

    found, expected = history(model), history(other)
    assert model.calls == 4  # two batches, and the one that is left, in each epoch
    assert found.pop("batches") == [1, 1]
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, rel=1e-5)


def test_assigned_functions_run(backend: Backend) -> None:
    model = compiled()
    weights = model.get_weights()
    seen: list[Any] = []

    def train(iterator: Any) -> dict[str, Any]:
        seen.append(backend.to_numpy(next(iterator)[0]))
        return {"mine": 2.0 * len(seen)}

    model.train_function = train
    model.test_function = lambda batches: model.test_step(batches[0])  # a list of one batch, as Keras's on PyTorch
    model.predict_function = lambda iterator: 2.0 * model(next(iterator), training=False)
    plain = compiled()
    assert model.fit(X, Y, batch_size=4, verbose=0).history == {"mine": [4.0]}
    order = np.concatenate(seen)
    assert sorted(map(tuple, order)) == sorted(map(tuple, X))
    assert not np.array_equal(order, X), "shuffled"
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert model.evaluate(X, Y, batch_size=4, verbose=0) == pytest.approx(
        plain.evaluate(X, Y, batch_size=4, verbose=0), rel=1e-5
    )
    for rows in (X, X[:4]):  # the second would be predicted without a loop
        np.testing.assert_allclose(model.predict(rows, verbose=0), 2 * plain.predict(rows, verbose=0), rtol=1e-5)
    model.train_function = lambda iterator: None
    with pytest.raises(TypeError, match="Expected a dict of logs"):
        model.fit(X, Y, verbose=0)
    model.compile("adam", "mse")
    assert model.fit(X, Y, verbose=0).history.keys() == {"loss"}
