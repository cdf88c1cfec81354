"""Many threads on one model, and data that come from other processes."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers
from polykeras.backend import Backend, use_backend
from polykeras.backend.symbolic import SymbolicArray

X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def _model() -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5,)), layers.Dense(16, "relu"), layers.Dropout(0.2), layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def test_predictions_from_many_threads_on_one_model(backend: Backend) -> None:
    model = _model()
    expected = model.predict(X, batch_size=8, verbose=0)
    fresh = _model()  # nothing of it is traced yet when the threads begin

    def predict(i: int) -> Any:
        with use_backend(backend.name):  # what is current belongs to a thread
            part = slice(i % 4, i % 4 + 32)
            return (
                part,
                fresh.predict(X[part], batch_size=8, verbose=0),
                np.asarray(keras.ops.convert_to_numpy(fresh(X[part]))),
            )

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(predict, range(32)))
    for part, predicted, called in results:
        np.testing.assert_allclose(predicted, expected[part], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(called, expected[part], rtol=1e-5, atol=1e-6)


class CallsMeanwhile(layers.Layer):
    """Calls something while a step of training runs on values, or is traced."""

    sample_by_sample = True
    meanwhile: Callable[[], Any] | None = None

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training and self.meanwhile is not None and not isinstance(inputs, SymbolicArray):
            self.meanwhile()
        return inputs


@pytest.mark.parametrize("adds", [False, True])
def test_a_prediction_beside_a_training_step_changes_nothing_of_it(backend: Backend, adds: bool) -> None:
    """What a step knows of its batch, and what layers add to its loss, is known in its thread alone."""

    def losses(predicts: bool) -> list[float]:
        calls, parts = CallsMeanwhile(), _model().layers
        first = layers.Dense(5, "tanh", activity_regularizer="l2") if adds else layers.Activation("tanh")
        model = keras.Sequential([keras.Input((5,)), first, calls, *parts])
        model.compile("adam", "mse")
        model.predict(X[:3], verbose=0)
        begun = []

        def predict() -> np.ndarray:
            with use_backend(backend.name):
                return model.predict(X[:3], verbose=0)

        def in_another_thread() -> None:
            begun.append(others.submit(predict))
            wait(begun[-1:], timeout=0.2)  # longer, it may wait for the end of the step, which gives memory away

        calls.meanwhile = in_another_thread if predicts else None
        with ThreadPoolExecutor(1) as others:
            history = model.fit(X[:60], Y[:60], batch_size=8, epochs=2, verbose=0, shuffle=False).history
        assert all(prediction.result().shape == (3, 1) for prediction in begun)
        assert bool(begun) == predicts
        filled = any(any(step.sizes.fills.values()) for step in model._steps.values())
        assert filled != adds, "the last batch was to be filled up, unless a layer adds a loss of all rows"
        return history["loss"]

    np.testing.assert_allclose(losses(True), losses(False), rtol=1e-6)


def _twins() -> tuple[Any, Any]:
    """Return two layers side by side that get the same updates: a model of their sum, and one of their difference."""
    keras.utils.set_random_seed(0)
    x = keras.Input((64,))
    parts = [keras.Sequential([layers.Dense(512, "tanh"), layers.Dense(1)])(x) for _ in range(2)]
    whole, difference = keras.Model(x, layers.Add()(parts)), keras.Model(x, layers.Subtract()(parts))
    half = whole.get_weights()
    whole.set_weights([*half[: len(half) // 2], *half[: len(half) // 2]])
    whole.compile(keras.optimizers.SGD(0.01), "mse")
    return whole, difference


def test_predictions_meanwhile_see_the_weights_of_one_moment(backend: Backend) -> None:
    """A step on JAX and torch gives the memory of its state away, which others may be reading."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2048, 64)).astype("float32")
    y = x[:, :1] + 5.0
    model, difference = _twins()
    fresh = model.predict(x[:8], verbose=0)
    compiled = keras.function(lambda x: difference(x))

    def train() -> None:
        with use_backend(backend.name):
            model.fit(x, y, batch_size=64, epochs=12, verbose=0)

    seen = 0
    with ThreadPoolExecutor(1) as pool:
        training = pool.submit(train)
        while not training.done():
            # The two are computed by the same operations, but perhaps not in the same kernels.
            np.testing.assert_allclose(difference.predict(x[:8], verbose=0), 0.0, atol=1e-4)
            np.testing.assert_allclose(keras.ops.convert_to_numpy(compiled(x[:8])), 0.0, atol=1e-4)
            assert all(np.isfinite(weight).all() for weight in model.get_weights())  # each one of some moment
            seen += 1
        training.result()
    assert seen > 1
    assert not np.allclose(model.predict(x[:8], verbose=0), fresh, atol=0.1)


def test_training_in_two_threads_is_training_in_one(backend: Backend) -> None:
    def train(seed: int) -> list[np.ndarray]:
        with use_backend(backend.name):
            model = models[seed]
            model.fit(X, Y, batch_size=8, epochs=3, verbose=0, shuffle=False)
            return model.get_weights()

    models = [_model(), _model()]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(train, range(2)))
    models = [_model()]
    alone = train(0)
    for weights in together:
        for a, b in zip(weights, alone, strict=True):
            np.testing.assert_array_equal(a, b)


def _rows(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a batch, as a worker process makes it."""
    part = slice(8 * number, 8 * number + 8)
    return X[part], Y[part]


@pytest.mark.parametrize("start", ["spawn", "forkserver"])
def test_batches_from_processes(backend: Backend, start: str) -> None:
    with ProcessPoolExecutor(2, multiprocessing.get_context(start)) as pool:

        def batches() -> Iterator[Any]:
            yield from pool.map(_rows, range(8))

        model = _model()
        model.fit(batches(), verbose=0)
    expected = _model()
    expected.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


FORKED = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
import numpy as np

x = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
y = x.sum(axis=1, keepdims=True)

def rows(number):
    part = slice(8 * number, 8 * number + 8)
    return x[part], y[part]

def workers():
    return ProcessPoolExecutor(2, multiprocessing.get_context("fork"))

def trained(*data, **options):
    import polykeras as keras
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(*data, verbose=0, **options)
    return model.get_weights()

def alone():
    return trained(x, y, batch_size=8, shuffle=False)

if sys.argv[1] == "after":
    expected = alone()  # the framework has its threads
with workers() as pool:
    found = trained(iter(list(pool.map(rows, range(8)))))
if sys.argv[1] == "before":
    expected = alone()
for a, b in zip(found, expected, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)
print(__import__("polykeras").backend.backend())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.parametrize("moment", ["before", "after"])
def test_batches_from_forked_processes(backend: Backend, moment: str) -> None:
    """Before the framework is loaded, and after it has trained: the workers themselves use none."""
    environment = os.environ | {"POLYKERAS_BACKEND": backend.name, "TF_CPP_MIN_LOG_LEVEL": "3"}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORKED, moment],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == [backend.name]


LOADED = """
import sys
import numpy as np, torch
from torch.utils.data import DataLoader, TensorDataset
import polykeras as keras

x = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
y = x.sum(axis=1, keepdims=True)

def trained(*data, **options):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(*data, epochs=2, verbose=0, **options)
    return model.get_weights()

expected = trained(x, y, batch_size=8, shuffle=False)
loader = DataLoader(TensorDataset(torch.tensor(x), torch.tensor(y)), batch_size=8, num_workers=1)
found = trained(loader, callbacks=[keras.callbacks.BackupAndRestore(sys.argv[1], save_freq=3)])
for a, b in zip(found, expected, strict=True):
    np.testing.assert_array_equal(a, b)
"""


@pytest.mark.needs("torch")
def test_workers_of_a_data_loader(tmp_path: Path) -> None:
    """Forked after torch has trained, beside backups, which hold back the request to end that workers get."""
    environment = os.environ | {"POLYKERAS_BACKEND": "torch"}
    command = [sys.executable, "-W", "error", "-c", LOADED, str(tmp_path / "backup")]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
