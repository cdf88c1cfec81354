"""Compiled steps held against their plain form: honest ones pass, wrong ones are named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import config, layers, ops
from polykeras.backend import Backend
from polykeras.training.steps import CompiledStep, EagerStep
from polykeras.training.steps.checks import verification

X = np.random.default_rng(0).normal(size=(28, 4)).astype("float32")
Y = (X[:, 0] > 0).astype("int32")


@pytest.fixture(autouse=True)
def verifying() -> Iterator[None]:
    before = config.verify()
    config.set_verify(1)
    yield
    config.set_verify(before)


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the steps that were compared with plain ones."""
    numbers: list[int] = []
    compare = verification.VerifiedStep._compare_with_plain

    def noted(self: Any, found: Any, given: Any, batch: Any, number: int) -> None:
        numbers.append(number)
        compare(self, found, given, batch, number)

    monkeypatch.setattr(verification.VerifiedStep, "_compare_with_plain", noted)
    return numbers


@pytest.fixture
def compiling(backend: Backend) -> Backend:
    if not backend.execution.compiles:
        pytest.skip("there is no compiled step to verify")
    return backend


def honest(**compiled: Any) -> Any:
    """Return a model with state of all kinds, and a bias whose gradient is nothing but rounding."""
    model = keras.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(6, name="first"),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Dropout(0.2),
            layers.Dense(3, activation="softmax", name="last"),
        ]
    )
    model.compile(
        **({"optimizer": "adam", "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]} | compiled)
    )
    return model


def stream() -> Iterator[Any]:
    return ((X[start : start + 8], Y[start : start + 8]) for start in range(0, 24, 8))


class Scaled(layers.Layer):
    """A layer that is compiled with a number of Python's, which changes later."""

    factor: np.ndarray

    def call(self, x: Any) -> Any:
        return x * float(self.factor[0])


def stale() -> tuple[Any, np.ndarray]:
    """Return a model, and an array of NumPy's that it depends on, whose changes no step notices."""
    layer = Scaled()
    factor = np.array([1.0])
    layer.__dict__["factor"] = factor
    model = keras.Sequential([layers.Input((4,)), layer, layers.Dense(1, name="dense")])
    model.compile("sgd", "mse", steps_per_execution=4)
    return model, factor


# ---- honest steps ----------------------------------------------------------------------------------------------------


def test_all_kinds_of_steps_pass(compiling: Backend, compared: list[int]) -> None:
    model = honest(steps_per_execution=3)
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    assert compared == [*range(4), *range(4)]
    del compared[:]
    model.fit(stream(), verbose=0)
    model.evaluate(X, Y, batch_size=8, verbose=0)
    assert compared == [*range(3), *range(4)]
    del compared[:]
    model.predict(X, batch_size=8, verbose=0)
    model.predict(X[:1], verbose=0)
    assert compared == list(range(5))
    del compared[:]
    model.train_on_batch(X[:8], Y[:8])
    assert len(compared) == 1


def test_a_model_in_mixed_precision_passes(compiling: Backend, compared: list[int]) -> None:
    keras.dtype_policies.set_dtype_policy("mixed_bfloat16")
    try:
        model = honest()
    finally:
        keras.dtype_policies.set_dtype_policy(None)
    model.fit(X, Y, batch_size=16, epochs=2, verbose=0)
    assert compared == [0, 1, 0, 1]


def test_verified_steps_give_the_same_bits(compiling: Backend) -> None:
    def trained(each: int) -> list[np.ndarray]:
        config.set_verify(each)
        keras.utils.set_random_seed(0)
        model = honest()
        history = model.fit(X, Y, batch_size=8, epochs=2, verbose=0).history
        return [*model.get_weights(), *map(np.asarray, history.values())]

    assert all(np.array_equal(a, b) for a, b in zip(trained(1), trained(0), strict=True))


def test_each_so_many_chunks(compiling: Backend, compared: list[int]) -> None:
    config.set_verify(3)
    # Not Adam, whose updates of the first bias are rounding alone: with two samples, more than the verification expects.
    model = honest(steps_per_execution=2, optimizer="sgd")
    model.fit(X[:24], Y[:24], batch_size=2, verbose=0)  # 6 chunks of 2 steps
    assert compared == [4, 5, 10, 11]


def test_off_it_costs_nothing(backend: Backend) -> None:
    """The step is then the one that there would be without, and the only one; and so it is where nothing is compiled."""
    config.set_verify(0)
    model = honest()
    model.fit(X, Y, batch_size=8, verbose=0)
    assert [type(step) for step in model._steps.values()] == [CompiledStep]
    config.set_verify(1)
    model.fit(X, Y, batch_size=8, verbose=0)
    assert all(type(step) is CompiledStep for step in model._steps.values()) != backend.execution.compiles
    eager = honest(run_eagerly=True)
    eager.fit(X, Y, batch_size=8, verbose=0)
    assert [type(step) for step in eager._steps.values()] == [EagerStep]


# ---- wrong steps -----------------------------------------------------------------------------------------------------


def test_a_number_that_changed_is_found_in_training(compiling: Backend) -> None:
    model, factor = stale()

    class Change(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            factor[0] = 1.0 + epoch
            self.before = model.get_weights()

    change = Change()
    with pytest.raises(RuntimeError) as found:
        model.fit(X, X[:, :1], batch_size=8, epochs=2, verbose=0, shuffle=False, callbacks=[change])
    message = str(found.value)
    assert f"on {compiling.name}" in message
    assert "train step 0 (counted from 0)" in message
    assert "variable 'sequential/dense/kernel' differs by up to" in message
    assert "log ['loss']" in message
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), change.before, strict=True))


@pytest.mark.parametrize("rows", [2, 28])
def test_it_is_found_in_predictions(compiling: Backend, rows: int) -> None:
    model, factor = stale()
    model.predict(X[:rows], batch_size=4, verbose=0)
    factor[0] = 1.001
    with pytest.raises(RuntimeError, match=r"predict step .*: output differs by up to .* where rounding explains"):
        model.predict(X[:rows], batch_size=4, verbose=0)


def test_it_is_found_in_evaluation(compiling: Backend) -> None:
    model, factor = stale()
    model.evaluate(X, X[:, :1], batch_size=8, verbose=0)
    factor[0] = 2.0
    with pytest.raises(RuntimeError, match="test step 0 .*log \\['loss'\\] differs by up to"):
        model.evaluate(X, X[:, :1], batch_size=8, verbose=0)


def test_it_is_found_in_streams(compiling: Backend) -> None:
    model, factor = stale()
    data = lambda: ((x, x[:, :1]) for x, _ in stream())  # noqa: E731
    model.fit(data(), verbose=0)
    factor[0] = 2.0
    with pytest.raises(RuntimeError, match="train step 0 .*'sequential/dense/kernel' differs by up to"):
        model.fit(data(), verbose=0)


def test_a_wrong_kernel_is_found(compiling: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain step computes with what the contract composes, and not with the kernel that overrides it."""
    right = compiling.relu
    assert type(compiling).relu is not Backend.relu

    def wrong(self: Any, x: Any) -> Any:
        return right(x) * 1.001

    wrong.__op__ = Backend.relu.__op__  # type: ignore[attr-defined]
    monkeypatch.setattr(type(compiling), "relu", wrong)
    with pytest.raises(
        RuntimeError, match=r"train step 0 .*variable '\w+/.*' differs by up to .* where rounding explains"
    ):
        honest().fit(X, Y, batch_size=8, verbose=0)


def dropping(backend: Backend, monkeypatch: pytest.MonkeyPatch, step: int, alone: bool) -> None:
    """Have compiled steps forget what one of them did to the first array of the state."""
    compile_steps: Callable[..., Any] = type(backend).compile_steps

    def compiled(self: Any, *args: Any) -> Any:
        run = compile_steps(self, *args)

        def dropped(state: Any, data: Any, indices: Any, start: int, stop: int) -> Any:
            if not start <= step < stop or (stop - start == 1 and not alone):
                return run(state, data, indices, start, stop)
            if start < step:
                state, _ = run(state, data, indices, start, step)
            kept = self.place(np.array(self.to_numpy(state[0])))
            state, logs = run(state, data, indices, step, step + 1)
            state = [kept, *state[1:]]
            return run(state, data, indices, step + 1, stop) if step + 1 < stop else (state, logs)

        return dropped

    monkeypatch.setattr(type(backend), "compile_steps", compiled)


@pytest.mark.parametrize("alone", [True, False], ids=["in each step", "in chunks alone"])
def test_an_update_that_is_dropped_is_found(compiling: Backend, monkeypatch: pytest.MonkeyPatch, alone: bool) -> None:
    dropping(compiling, monkeypatch, step=2, alone=alone)
    model = keras.Sequential([layers.Input((4,)), layers.Dense(1, name="dense")])
    model.compile(keras.optimizers.SGD(1e-3), "mse", steps_per_execution=6)
    before = model.get_weights()
    where = "train step 2 .* of the pass" if alone else "train step 2 .*, run in one chunk with those from step 0 on"
    with pytest.raises(RuntimeError, match=rf"{where}.*'sequential/dense/kernel' differs by up to"):
        model.fit(X[:24], X[:24, :1], batch_size=4, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))


def test_steps_that_draw_numbers_of_their_own_are_not_verified(compiling: Backend) -> None:
    """What such a step gives differs by design; a warning says so, and training goes on."""

    generator = np.random.default_rng(0)  # one of a user's own, of which nobody knows

    class Noise(layers.Layer):
        def call(self, x: Any) -> Any:
            return x + ops.convert_to_tensor(generator.uniform(size=(4,)), "float32")

    model = keras.Sequential([layers.Input((4,)), Noise(), layers.Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=3)
    with pytest.warns(RuntimeWarning, match="twice from the same state it gave other values for .*'.*dense.*/kernel'"):
        model.fit(X[:24], X[:24, :1], batch_size=4, verbose=0)


def test_a_variable_that_only_the_step_knows(compiling: Backend) -> None:
    """One that is found by tracing is put back and compared like those of the model."""
    steps = keras.Variable(0.0, name="steps")

    class Counting(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x: Any) -> Any:
            return self.dense(x)

        def train_step(self, data: Any) -> Any:
            steps.assign_add(1.0)
            return super().train_step(data) | {"steps": steps + 0.0}

    model = Counting()
    model.compile("sgd", "mse", steps_per_execution=3)
    history = model.fit(X[:24], X[:24, :1], batch_size=4, verbose=0).history
    assert history["steps"] == [6.0]
    assert float(steps) == 6.0


# ---- the setting -----------------------------------------------------------------------------------------------------


def test_the_environment_sets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = config.settings.__wrapped__
    monkeypatch.setenv("POLYKERAS_VERIFY", "20")
    assert fresh().verify == 20
    monkeypatch.setenv("POLYKERAS_VERIFY", "")
    assert fresh().verify == 0
    for wrong in ("-1", "often"):
        monkeypatch.setenv("POLYKERAS_VERIFY", wrong)
        with pytest.raises(ValueError, match="POLYKERAS_VERIFY: `verify` must be an int, 0 or greater"):
            fresh()


@pytest.mark.parametrize("value", [-1, True, 1.5, "1"])
def test_other_values_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="set_verify: `verify` must be an int, 0 or greater"):
        config.set_verify(value)
