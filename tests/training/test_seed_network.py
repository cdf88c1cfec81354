"""The network with which this project began comes out as it was printed there."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras.backend import Backend
from polykeras.layers import Dense
from polykeras.models import Sequential


def seed_network() -> Sequential:
    """Return the network, in Keras 2's spelling."""
    model = Sequential()
    model.add(Dense(32, input_dim=784, activation="sigmoid"))
    model.add(Dense(10, activation="sigmoid"))
    model.add(Dense(1, activation="sigmoid"))
    return model


def test_summary(capsys: pytest.CaptureFixture[str]) -> None:
    seed_network().summary()
    text = capsys.readouterr().out
    rows = [line for line in text.splitlines() if "(Dense)" in line]
    expected = [("(None, 32)", "25,120"), ("(None, 10)", "330"), ("(None, 1)", "11")]
    for row, (shape, parameters) in zip(rows, expected, strict=True):
        assert shape in row
        assert f" {parameters} " in row
    assert "Total params: 25,461" in text
    assert "Trainable params: 25,461" in text
    assert "Non-trainable params: 0" in text


@pytest.mark.parametrize("optimizer", ["sgd", "object"])
def test_it_trains(backend: Backend, optimizer: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 784)).astype("float32")
    y = (x[:, 0] > 0).astype("int64")
    model = seed_network()
    chosen = keras.optimizers.SGD(lr=0.0001) if optimizer == "object" else optimizer
    model.compile(loss="binary_crossentropy", optimizer=chosen, metrics=["accuracy"])
    history = model.fit(x, y, epochs=2, batch_size=16, verbose=0).history
    assert list(history) == ["accuracy", "loss"] or list(history) == ["loss", "accuracy"]
    assert np.isfinite(history["loss"]).all()
    loss, accuracy = model.evaluate(x, y, verbose=0)
    probability = model.predict(x, verbose=0)
    assert probability.shape == (64, 1)
    assert accuracy == pytest.approx(np.mean((probability[:, 0] > 0.5) == y), abs=1e-6)
    p = np.clip(probability[:, 0].astype("float64"), 1e-7, 1 - 1e-7)
    assert loss == pytest.approx(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)), rel=1e-5)
