"""`model(x)` again and again gives what it gave at first, compiled or not."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import Input, Model, Sequential, layers, ops
from polykeras.backend import Backend
from polykeras.models import repeated_calls
from polykeras.models.repeated_calls import RepeatedCalls

X = np.random.default_rng(0).normal(size=(4, 6)).astype("float32")


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows by the name of a model with each of its calls that is compiled."""
    calls: list[str] = []
    serve = RepeatedCalls.serve

    def counted(self: RepeatedCalls, model: Any, inputs: Any) -> Any:
        result = serve(self, model, inputs)
        if result is not None:
            calls.append(model.name)
        return result

    monkeypatch.setattr(RepeatedCalls, "serve", counted)
    return calls


def mlp() -> Any:
    hidden = [layers.Dense(5, activation="tanh"), layers.Dropout(0.5), layers.BatchNormalization()]
    return Sequential([Input((6,)), *hidden, layers.Dense(2)], name="mlp")


def mlp_like(model: Any) -> Any:
    """Return another model with the same weights, which was never called."""
    other = mlp()
    other.set_weights(model.get_weights())
    return other


def called(model: Any, x: Any = X, **kwargs: Any) -> np.ndarray:
    return ops.convert_to_numpy(model(ops.convert_to_tensor(x), **kwargs))


def test_the_results_stay_the_same(backend: Backend, compiled: list[str]) -> None:
    model = mlp()
    results = [called(model) for _ in range(5)]
    assert compiled == (["mlp"] * 3 if backend.execution.compiles_calls else [])
    for result in results:  # compiled, sums may be rounded in another way: what is left of outputs near 0 is less exact
        np.testing.assert_allclose(result, results[0], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(called(model, X[:2]), results[0][:2], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_numpy_arrays_are_served_too(backend: Backend, compiled: list[str], dtype: str) -> None:
    model, x = mlp(), (4 * X).astype(dtype)
    results = [model(x) for _ in range(4)]
    assert compiled == (["mlp"] * 2 if backend.execution.compiles_calls else [])
    assert {backend.dtype(result) for result in results} == {"float32"}
    for result in map(ops.convert_to_numpy, results):
        np.testing.assert_allclose(result, called(mlp_like(model), x), rtol=1e-6, atol=1e-6)


def test_arrays_of_no_numbers_are_refused_as_ever(backend: Backend) -> None:
    model = mlp()
    for _ in range(4):
        with pytest.raises((TypeError, ValueError)):
            model(np.full((4, 6), "word", object))


def test_new_weights_are_used(backend: Backend) -> None:
    model = mlp()
    for _ in range(4):
        before = called(model)
    model.set_weights([w + 0.5 for w in model.get_weights()])
    changed = called(model)
    assert np.abs(changed - before).max() > 0.1
    np.testing.assert_allclose(changed, model.predict(X, verbose=0), rtol=1e-5)
    model.compile("sgd", "mse")
    model.fit(X, np.zeros((4, 2), "float32"), verbose=0)
    np.testing.assert_allclose(called(model), model.predict(X, verbose=0), rtol=1e-5)


def test_a_changed_model_is_called_as_it_is_now(backend: Backend) -> None:
    model = mlp()
    for _ in range(4):
        called(model)
    model.add(layers.Dense(3))
    assert called(model).shape == (4, 3)
    np.testing.assert_allclose(called(model), model.predict(X, verbose=0), rtol=1e-5)


def test_what_is_set_on_a_layer_counts_from_the_next_call_on(backend: Backend) -> None:
    """A layer is plain code: who changes a number or a function in it sees it at once, compiled or not."""
    model = Sequential([Input((6,)), layers.Dense(3), layers.LeakyReLU(0.25)])
    for _ in range(4):
        called(model)
    dense, relu = model.layers

    def expected(activation: Any, slope: float) -> np.ndarray:
        product = activation(X @ np.asarray(dense.kernel) + np.asarray(dense.bias))
        return np.where(product > 0, product, slope * product)

    relu.negative_slope = 0.5
    np.testing.assert_allclose(called(model), expected(lambda x: x, 0.5), rtol=1e-5, atol=1e-6)
    dense.activation = ops.tanh
    np.testing.assert_allclose(called(model), expected(np.tanh, 0.5), rtol=1e-5, atol=1e-6)
    relu.negative_slope = 0.25
    dense.activation = ops.sin
    np.testing.assert_allclose(called(model), expected(np.sin, 0.25), rtol=1e-5, atol=1e-6)


def test_training_does_not_make_calls_compile_again(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    model = mlp()
    model.compile("sgd", "mse")
    for _ in range(4):
        called(model)
    monkeypatch.setattr(repeated_calls, "_made", lambda model, backend: pytest.fail("compiled again"))
    for _ in range(2):
        model.train_on_batch(X, np.zeros((4, 2), "float32"))
        model.fit(X, np.zeros((4, 2), "float32"), verbose=0)
        called(model)


def test_training_mode_is_never_compiled(backend: Backend, compiled: list[str]) -> None:
    model = mlp()
    (_, moving_mean, _) = before = [v.numpy() for v in model.layers[2].variables[1:]]
    for _ in range(5):
        called(model, training=True)
    assert compiled == []
    assert np.abs(model.layers[2].variables[2].numpy() - moving_mean).max() > 0, before


def test_the_code_of_users_is_never_compiled(backend: Backend, compiled: list[str]) -> None:
    runs: list[int] = []

    class Noted(layers.Layer):
        def call(self, inputs: Any) -> Any:
            runs.append(1)
            return inputs * 2

    own = Sequential([Input((6,)), Noted()])
    built = len(runs)
    for _ in range(5):
        called(own)
    assert len(runs) == built + 5
    anonymous = Sequential([Input((6,)), layers.Lambda(lambda x: runs.append(1) or x)])
    built = len(runs)
    for _ in range(5):
        called(anonymous)
    assert len(runs) == built + 5
    assert compiled == []


def test_a_class_of_users_may_say_that_its_call_is_pure(backend: Backend, compiled: list[str]) -> None:
    class Doubled(layers.Layer):
        pure_call = True

        def call(self, inputs: Any) -> Any:
            return inputs * 2

    class Inherits(Doubled):
        def call(self, inputs: Any) -> Any:
            return inputs * 3

    for layer, pure in ((Doubled(), True), (Inherits(), False)):
        compiled.clear()
        model = Sequential([Input((6,)), layer])
        results = [called(model) for _ in range(4)]
        assert bool(compiled) == (pure and backend.execution.compiles_calls)
        np.testing.assert_array_equal(results[0], results[-1])


def test_losses_and_masks_are_there_after_each_call(backend: Backend, compiled: list[str]) -> None:
    penalised = Sequential([Input((6,)), layers.Dense(2, activity_regularizer="l2")])
    for _ in range(4):
        called(penalised)
        assert len(penalised.losses) == 1
    masked = Sequential([Input((3,), dtype="int32"), layers.Embedding(5, 2, mask_zero=True), layers.LSTM(2)])
    words = np.asarray([[1, 0, 2], [0, 0, 3]], "int32")
    results = [called(masked, words) for _ in range(4)]
    np.testing.assert_array_equal(results[0], results[-1])
    assert compiled == []


def test_gradients_through_repeated_calls(backend: Backend) -> None:
    model = mlp()
    x = ops.convert_to_tensor(X)
    for _ in range(4):
        model(x)
    kernel = model.trainable_variables[0]
    _, gradient = keras.value_and_grad(lambda: ops.sum(ops.square(model(x))), kernel)()
    assert np.abs(ops.convert_to_numpy(gradient)).max() > 0


def test_trees_of_inputs(backend: Backend, compiled: list[str]) -> None:
    inputs = {"a": Input((6,)), "b": Input((6,))}
    model = Model(inputs, layers.Add()([inputs["a"], inputs["b"]]), name="sum")
    x = {name: ops.convert_to_tensor(X) for name in inputs}
    for _ in range(4):
        np.testing.assert_allclose(ops.convert_to_numpy(model(x)), 2 * X)
    assert compiled == (["sum"] * 2 if backend.execution.compiles_calls else [])


def test_copies_and_pickles(backend: Backend) -> None:
    model = mlp()
    for _ in range(4):
        expected = called(model)
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        copied.set_weights([w * 0 for w in copied.get_weights()])
        for _ in range(4):
            assert np.abs(called(copied)).max() == 0
    np.testing.assert_allclose(called(model), expected, rtol=1e-6)


def test_many_shapes_are_not_all_compiled(backend: Backend, compiled: list[str]) -> None:
    model = mlp()
    for rows in range(1, 40):
        for _ in range(3):
            assert called(model, np.ones((rows, 6), "float32")).shape == (rows, 2)
    assert len(compiled) == (16 if backend.execution.compiles_calls else 0)


def test_numbers_in_another_byte_order_are_read_as_they_are(backend: Backend) -> None:
    """As of files of IDX or FITS."""
    model = mlp()
    expected = called(model)
    for _ in range(4):
        np.testing.assert_array_equal(ops.convert_to_numpy(model(X.astype(">f4"))), expected)


def test_a_shallow_copy_is_called_as_itself(backend: Backend) -> None:
    model = mlp()
    for _ in range(4):
        expected = called(model)
    twin = copy.copy(model)
    assert twin._repeated is not model._repeated
    for _ in range(4):
        np.testing.assert_allclose(called(twin), expected, rtol=1e-5, atol=1e-6)  # compiled, and not
