"""`predict`: its last batch is filled up where no sample can tell, small batches run at once, and no number changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polykeras import Input, Model, Sequential, callbacks, config, fast, layers, ops
from polykeras.backend import Backend
from polykeras.common import nested
from polykeras.training import loops
from polykeras.training.predicting import AT_ONCE
from polykeras.training.steps import CompiledStep
from polykeras.training.steps.prepare import prepare
from training.own_models import Counter

X = np.random.default_rng(0).normal(size=(60, 3)).astype("float32")


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the number of rows of each batch that a step gets."""
    found: list[int] = []
    run_batch = CompiledStep.run_batch

    def noted(self: CompiledStep, batch: Any) -> Any:
        found.append(len(batch))
        return run_batch(self, batch)

    run_batches = CompiledStep.run_batches

    def noted_at_once(self: CompiledStep, batches: Any, count: int) -> Any:
        result = run_batches(self, batches, count)
        found.extend([nested.flatten(batches)[0].shape[1]] * count)
        return result

    monkeypatch.setattr(CompiledStep, "run_batch", noted)
    monkeypatch.setattr(CompiledStep, "run_batches", noted_at_once)
    return found


def test_all_batches_have_one_size(backend: Backend, rows: list[int]) -> None:
    model = Sequential([Input((3,)), layers.Dense(4, activation="tanh"), layers.BatchNormalization(), layers.Dense(2)])
    predicted = model.predict(X, batch_size=16, verbose=0)
    assert rows == [16, 16, 16, 16 if backend.execution.compiles else 12]
    # Products of other numbers of rows may be added up in another order.
    np.testing.assert_allclose(predicted, model.predict(X, batch_size=60, verbose=0), rtol=1e-5, atol=1e-6)


def test_trees_of_outputs_are_cut_too(backend: Backend) -> None:
    x = Input((3,))
    model = Model(x, {"a": layers.Dense(2)(x), "b": layers.Reshape((3, 1))(x)})
    predicted = model.predict(X, batch_size=16, verbose=0)
    assert {name: part.shape for name, part in predicted.items()} == {"a": (60, 2), "b": (60, 3, 1)}
    np.testing.assert_array_equal(predicted["b"][..., 0], X)


def test_samples_that_know_of_each_other_are_left_alone(backend: Backend, rows: list[int]) -> None:
    model = Sequential([Input((3,)), layers.Lambda(lambda x: x - ops.mean(x, axis=0))])
    predicted = model.predict(X, batch_size=16, verbose=0)
    assert rows == [16, 16, 16, 12]
    np.testing.assert_allclose(predicted[48:], X[48:] - X[48:].mean(0), rtol=1e-5, atol=1e-6)


def test_callbacks_see_what_counts(backend: Backend) -> None:
    seen: list[int] = []

    class Watching(callbacks.Callback):
        def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append(len(logs["outputs"]))

    model = Sequential([Input((3,)), layers.Dense(2)])
    assert model.predict(X, batch_size=16, verbose=0, callbacks=[Watching()]).shape == (60, 2)
    assert seen == [16, 16, 16, 12]


# ---- small batches at once ------------------------------------------------------------------------------------------


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the number of batches that ran in one go."""
    found: list[int] = []
    run_batches = CompiledStep.run_batches

    def noted(self: CompiledStep, batches: Any, count: int) -> Any:
        result = run_batches(self, batches, count)
        found.append(count)
        return result

    monkeypatch.setattr(CompiledStep, "run_batches", noted)
    return found


def can_run_batches(backend: Backend) -> bool:
    """Return whether a backend has one program for several batches."""
    return backend.execution.compile_batches(lambda state, batch: batch) is not None


@pytest.mark.parametrize("rows", [60, 64, 130])
def test_batches_give_alone_what_they_give_together(backend: Backend, at_once: list[int], rows: int) -> None:
    x = np.random.default_rng(1).normal(size=(rows, 3)).astype("float32")
    model = Sequential([Input((3,)), layers.Dense(4, activation="tanh"), layers.BatchNormalization(), layers.Dense(2)])
    predicted = model.predict(x, batch_size=4, verbose=0)
    batches = -(-rows // 4)
    whole = [AT_ONCE] * (batches // AT_ONCE) + [batches % AT_ONCE]
    assert at_once == ([count for count in whole if count] if can_run_batches(backend) else [])
    alone = [model.predict_on_batch(x[i : i + 4]) for i in range(0, rows, 4)]
    np.testing.assert_allclose(predicted, np.concatenate(alone), rtol=1e-6, atol=1e-7)


@pytest.mark.counts_runs
def test_any_number_of_rows_takes_one_program(backend: Backend, at_once: list[int]) -> None:
    counter = Counter()
    model = Sequential([Input((3,)), counter, layers.Dense(2)])
    model.predict(np.ones((16, 3), "float32"), batch_size=4, verbose=0)
    traces = counter.traces
    for rows in (17, 64, 65, 200):
        assert model.predict(np.ones((rows, 3), "float32"), batch_size=4, verbose=0).shape == (rows, 2)
    assert bool(at_once) == can_run_batches(backend)
    if backend.execution.compiles:
        assert counter.traces == traces


def test_trees_of_inputs_and_outputs(backend: Backend) -> None:
    inputs = {"a": Input((3,)), "b": Input((2, 2), dtype="int32")}
    model = Model(inputs, {"twice": layers.Add()([inputs["a"], inputs["a"]]), "same": inputs["b"]})
    data = {"a": X, "b": np.arange(240, dtype="int32").reshape(60, 2, 2)}
    predicted = model.predict(data, batch_size=8, verbose=0)
    np.testing.assert_array_equal(predicted["twice"], 2 * X)
    np.testing.assert_array_equal(predicted["same"], data["b"])
    assert predicted["same"].dtype == np.int32


class Counts(layers.Layer):
    """Adds the number of calls before."""

    def build(self, input_shape: Any) -> None:
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, inputs: Any) -> Any:
        before = self.calls.value
        self.calls.assign_add(1.0)
        return inputs + before


def test_what_changes_with_each_batch_runs_one_by_one(backend: Backend, at_once: list[int]) -> None:
    model = Sequential([Input((3,)), Counts()])
    for first in (0, 5):
        predicted = model.predict(np.zeros((20, 3), "float32"), batch_size=4, verbose=0)
        np.testing.assert_array_equal(predicted[:, 0], np.repeat(np.arange(first, first + 5), 4))
    assert at_once == []


def test_a_scalar_for_each_batch_is_refused_as_ever(backend: Backend) -> None:
    model = Sequential([Input((3,)), layers.Lambda(lambda x: ops.sum(x))])
    with pytest.raises(ValueError, match="is a scalar for each batch"):
        model.predict(X, batch_size=4, verbose=0)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_one_batch_alone_is_predicted_as_among_others(backend: Backend, dtype: str) -> None:
    model = Sequential([Input((3,)), layers.Dense(4, activation="tanh"), layers.Dense(2)])
    x = (10 * X[:9]).astype(dtype)
    alone, watched = model.predict(x, verbose=0), model.predict(x, verbose=0, callbacks=[callbacks.Callback()])
    np.testing.assert_array_equal(alone, watched)
    np.testing.assert_array_equal(model.predict(x, batch_size=9, verbose=0), alone)
    alone += 1  # an array of the caller's own
    np.testing.assert_array_equal(model.predict(x, verbose=0), watched)
    np.testing.assert_allclose(model.predict(x, batch_size=4, verbose=0), watched, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("x", "batch_size", "told"),
    [
        (np.full((2, 3), np.nan, "float32"), None, "contains nan in 2 of 2 samples"),
        (np.ones((0, 3), "float32"), None, "empty"),
        (np.ones((2, 3), "float32"), 0, "batch_size"),
        (np.array(["a", "b"]), None, "expected numbers"),
        (np.ones((), "float32"), None, "is a scalar"),
    ],
)
def test_what_is_wrong_with_one_batch_is_said(backend: Backend, x: Any, batch_size: int | None, told: str) -> None:
    model = Sequential([Input((3,)), layers.Dense(2)])
    with pytest.raises(ValueError, match=told):
        model.predict(x, batch_size=batch_size, verbose=0)


def test_the_short_way_is_for_one_array_that_nobody_watches(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    longer: list[Any] = []
    make_source = loops.make_source
    monkeypatch.setattr(
        loops, "make_source", lambda *args, **kwargs: longer.append(args) or make_source(*args, **kwargs)
    )
    model = Sequential([Input((3,)), layers.Dense(2)])
    expected = model.predict(X[:2], verbose=0)
    assert bool(longer) == (not fast.enabled())
    x = X[:2]
    tensor = ops.convert_to_tensor(x)
    for arguments in (
        {"x": [x]},
        {"x": x.tolist()},
        {"x": np.ma.array(x)},
        {"x": [tensor] if isinstance(tensor, np.ndarray) else tensor},
        {"x": x, "batch_size": 1},
        {"x": x, "batch_size": np.int64(4)},
        {"x": x, "callbacks": [callbacks.Callback()]},
    ):
        longer.clear()
        np.testing.assert_allclose(model.predict(**arguments, verbose=0), expected, rtol=1e-5, atol=1e-6)
        assert longer, arguments


def test_one_batch_of_models_of_all_kinds(backend: Backend) -> None:
    class Doubled(Model):
        def predict_step(self, data: Any) -> Any:
            return {"twice": 2 * data}

    class Scalar(Model):
        def call(self, x: Any) -> Any:
            return ops.sum(x)

    x = np.ones((2, 3), "float32")
    np.testing.assert_array_equal(Doubled().predict(x, verbose=0)["twice"], 2 * x)
    eager = Sequential([Input((3,)), layers.Lambda(lambda x: x)])
    eager.compile(run_eagerly=True)
    same = eager.predict(x, verbose=0)
    same += 1
    assert x.max() == 1, "what is returned is the caller's own"
    with pytest.raises(ValueError, match="is a scalar for each batch"):
        Scalar().predict(x, verbose=0)
    with_nan = np.full((2, 3), np.nan, "float32")
    config.set_check_data(False)
    try:
        assert np.isnan(eager.predict(with_nan, verbose=0)).all()
    finally:
        config.set_check_data(True)


def test_windows_run_where_they_are_fast(backend: Backend, at_once: list[int]) -> None:
    """On JAX maxima of windows are not: they run alone. Convolutions are, where XLA has an option for them."""
    x = np.random.default_rng(1).normal(size=(20, 6, 6, 1)).astype("float32")
    for layer, in_one in ((layers.AveragePooling2D(2), True), (layers.MaxPooling2D(2), False)):
        at_once.clear()
        model = Sequential([Input((6, 6, 1)), layer, layers.Flatten()])
        predicted = model.predict(x, batch_size=4, verbose=0)
        np.testing.assert_allclose(predicted, np.asarray(model.predict_on_batch(x)), rtol=1e-5, atol=1e-6)
        if can_run_batches(backend):
            assert at_once == ([5] if in_one or backend.name != "jax" else [])


def test_who_watches_sees_each_batch_and_who_does_not_sees_chunks(backend: Backend) -> None:
    seen: dict[str, list[int]] = {"each": [], "chunks": []}

    class Watching(callbacks.Callback):
        def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
            seen["each"].append(batch)

    class Unhurried(callbacks.Callback):
        per_chunk = True

        def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
            seen["chunks"].append(batch)

    model = Sequential([Input((3,)), layers.Dense(2)])
    model.predict(X, batch_size=3, verbose=0, callbacks=[Watching()])
    assert seen["each"] == list(range(20))
    model.predict(X, batch_size=3, verbose=0, callbacks=[Unhurried()])
    assert seen["chunks"] == ([15, 19] if can_run_batches(backend) else list(range(20)))


def test_large_batches_and_few_are_left_alone(backend: Backend, at_once: list[int]) -> None:
    model = Sequential([Input((3000,)), layers.Dense(2)])
    model.predict(np.ones((1700, 3000), "float32"), batch_size=400, verbose=0)
    model.predict(np.ones((9, 3000), "float32"), batch_size=3, verbose=0)
    assert at_once == []


def test_a_prediction_is_given_weights_alone(backend: Backend) -> None:
    """Slots of the optimizer and metrics are no arguments of its program, whether the model was trained before or not."""
    model = Sequential([Input((3,)), layers.Dense(2), layers.Dropout(0.5)])
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(X, X[:, :2], verbose=0)
    model.predict(X, verbose=0)
    weights = set(map(id, model.variables))
    step = prepare(model, "predict", X[:32])
    assert {id(variable) for variable in step.variables} <= weights


def test_a_predict_step_may_use_what_else_the_model_has(backend: Backend) -> None:
    class Counted(Sequential):
        def predict_step(self, data: Any) -> Any:
            return super().predict_step(data) * 0.0 + ops.cast(self.optimizer.iterations, "float32")

    model = Counted([Input((3,)), layers.Dense(2)])
    model.compile("sgd", "mse")
    for steps in (1, 2):
        model.train_on_batch(X, X[:, :2])
        assert (model.predict(X, batch_size=8, verbose=0) == steps).all()


def test_outputs_without_numbers(backend: Backend) -> None:
    x = Input((3,))
    model = Model(x, layers.Lambda(lambda x: x[:, :0])(x))
    assert model.predict(X, batch_size=4, verbose=0).shape == (60, 0)


def test_large_outputs_are_made_one_by_one(backend: Backend, at_once: list[int]) -> None:
    """Room for the outputs of sixteen batches is made before the first one is computed."""
    model = Sequential([Input((3,)), layers.RepeatVector(10_000)])
    np.testing.assert_array_equal(model.predict(X, batch_size=4, verbose=0)[:, 7], X)
    assert at_once == []


def test_outputs_of_another_number_of_rows(backend: Backend) -> None:
    model = Sequential([Input((3,)), layers.Lambda(lambda x: ops.reshape(x, (-1, 1)))])
    np.testing.assert_array_equal(model.predict(X, batch_size=4, verbose=0), X.reshape(-1, 1))
