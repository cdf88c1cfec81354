"""One model moves between frameworks while it trains, as if it had stayed on one."""

from __future__ import annotations

import numpy as np
import pytest
from parity.experiments import cancer_data, worst

import polykeras as keras
from polykeras import layers

TOUR = ("jax", "torch", "tensorflow", "numpy", "jax")
needs_all = pytest.mark.needs("jax", "torch", "tensorflow", "numpy")


def make_model() -> keras.Model:
    """Return a model with all kinds of state: Adam's slots, batch-norm statistics, dropout's stream, a metric."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((30,)),
            layers.Dense(16, activation="tanh"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(8, activation="gelu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy", metrics=["accuracy"])
    return model


def epochs_on(backends: tuple[str, ...]) -> tuple[list[float], keras.Model]:
    """Train an epoch on each of the backends; return the losses and the model."""
    x, y = cancer_data()
    model = make_model()
    losses = []
    for epoch, name in enumerate(backends):
        with keras.use_backend(name):
            history = model.fit(x, y, epochs=epoch + 1, initial_epoch=epoch, verbose=0).history
            losses.append(history["loss"][0])
    return losses, model


@needs_all
@pytest.mark.parametrize("home", ["numpy", "jax"])
def test_five_epochs_on_a_tour(home: str) -> None:
    hopped, traveller = epochs_on(TOUR)
    stayed, reference = epochs_on((home,) * len(TOUR))
    assert worst(hopped, stayed) <= 1e-4  # measured: 1e-6
    for a, b in zip(traveller.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    slots = zip(traveller.optimizer.variables, reference.optimizer.variables, strict=True)
    for a, b in slots:
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-4)


@needs_all
def test_a_move_between_two_batches() -> None:
    x, y = cancer_data()
    rows = [slice(i, i + 32) for i in range(0, 320, 32)]

    def batches(backends: tuple[str, ...]) -> list[float]:
        model = make_model()
        losses = []
        for i, part in enumerate(rows):
            with keras.use_backend(backends[i % len(backends)]):
                losses.append(model.train_on_batch(x[part], y[part], return_dict=True)["loss"])
        return losses

    assert worst(batches(TOUR), batches(("numpy",))) <= 1e-5


@needs_all
def test_values_move_exactly() -> None:
    _, model = epochs_on(("torch",))
    before = model.get_weights()
    x = cancer_data()[0][:50]
    predictions = {}
    for name in TOUR:
        with keras.use_backend(name):
            predictions[name] = model.predict(x, verbose=0)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for name in TOUR:
        np.testing.assert_allclose(predictions[name], predictions["torch"], atol=1e-6)
