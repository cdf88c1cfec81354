"""Large arrays come to the device, once each; a step that is wrong says so as ever."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import config
from polykeras.backend import Backend
from polykeras.training.data.array_source import ArraySource

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2**17, 64)).astype("float32")  # 32 MB
Y = RNG.integers(2, size=(2**17, 1)).astype("float32")


def test_an_error_of_the_step_comes_as_ever(backend: Backend) -> None:
    class Wrong(polykeras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = polykeras.layers.Dense(1)

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs)

        def train_step(self, batch: Any) -> Any:
            if polykeras.backend.registry.current().holds_values:
                raise RuntimeError("this step is wrong")
            return super().train_step(batch)

    model = Wrong()
    model.compile("sgd", "mse")
    with pytest.raises(RuntimeError, match="this step is wrong"):
        model.fit(X, Y, verbose=0)


def test_with_the_nan_guard_a_bad_weight_is_named(backend: Backend) -> None:
    config.set_nan_guard(True)
    try:
        model = polykeras.Sequential([polykeras.Input((64,)), polykeras.layers.Dense(1, activation="sigmoid")])
        model.compile("adam", "binary_crossentropy")
        model.fit(X, Y, batch_size=512, verbose=0)
        kernel, bias = model.get_weights()
        model.set_weights([np.full_like(kernel, np.nan), bias])
        with pytest.raises(FloatingPointError, match="not finite before the step"):
            model.fit(X, Y, batch_size=512, verbose=0)
    finally:
        config.set_nan_guard(False)


def test_an_array_that_is_inputs_and_labels_comes_once(backend: Backend) -> None:
    placed = ArraySource((X, {"a": X, "b": Y}, None), 32).resident(backend)
    assert placed[0] is placed[1]["a"]
    assert placed[0] is not placed[1]["b"]
    np.testing.assert_array_equal(backend.to_numpy(placed[0]), X)
