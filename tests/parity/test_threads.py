"""Several backends at work in several threads at once give the numbers that each gives alone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

import polykeras as keras
from parity.experiments import cancer_data
from polykeras import layers, ops
from polykeras.backend import Backend

EPOCHS = 8


def make_model() -> keras.Model:
    """Return a model with dropout, batch-norm statistics and a metric."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((30,)),
            layers.Dense(24, activation="tanh"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy", metrics=["accuracy"])
    return model


def train(model: keras.Model, name: str, start: threading.Barrier | None = None) -> Any:
    """Train on a backend and return all numbers that came of it.

    The samples keep their order: shuffles are drawn from the process's one stream of seeds, in the order in which
    threads happen to ask.
    """
    x, y = cancer_data()
    x, y = x[:512], y[:512]
    with keras.use_backend(name):
        if start is not None:
            start.wait(timeout=60)
        history = model.fit(x, y, epochs=EPOCHS, shuffle=False, verbose=0).history
        assert keras.backend.backend() == name
        return history, model.get_weights(), model.predict(x, verbose=0)


def test_as_if_alone(all_backends: list[Backend]) -> None:
    """Each backend trains a model in a thread of its own, all from the same moment on."""
    names = [backend.name for backend in all_backends]
    alone = {name: train(make_model(), name) for name in names}
    models = {name: make_model() for name in names}
    start = threading.Barrier(len(names))
    with ThreadPoolExecutor(len(names)) as pool:
        running = {name: pool.submit(train, models[name], name, start) for name in names}
        together = {name: future.result(timeout=120) for name, future in running.items()}
    for name in names:
        (history, weights, predictions), (expected, expected_weights, expected_predictions) = (
            together[name],
            alone[name],
        )
        assert history == expected, name
        for a, b in zip(weights, expected_weights, strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(predictions, expected_predictions)


def test_two_models_on_one_backend(backend: Backend) -> None:
    """Two threads may use the same backend."""
    expected, weights, _ = train(make_model(), backend.name)
    models = [make_model(), make_model()]
    start = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda model: train(model, backend.name, start), models))
    for history, final, _ in results:
        assert history == expected
        for a, b in zip(final, weights, strict=True):
            np.testing.assert_array_equal(a, b)


def test_gradients_in_many_threads(backend: Backend) -> None:
    """Tapes of different threads do not meet, gradients of gradients included."""

    def curvature(value: float) -> float:
        with keras.use_backend(backend):
            slope = keras.grad(lambda x: ops.sum(keras.grad(lambda z: ops.sum(z * z * z))(x)))
            return float(sum(float(slope(ops.convert_to_tensor(value))) for _ in range(20)) / 20)

    values = [float(i) for i in range(16)]
    with ThreadPoolExecutor(8) as pool:
        np.testing.assert_allclose(list(pool.map(curvature, values)), [6 * v for v in values], rtol=1e-6)
