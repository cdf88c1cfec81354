"""Tracing without the search for reference cycles."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import ops
from polykeras.training.steps.collection import uncollected


def test_nothing_is_collected_within_nested_blocks_and_it_goes_on_after_an_error() -> None:
    assert gc.isenabled()
    with uncollected:
        with pytest.raises(KeyError), uncollected:
            raise KeyError
        assert not gc.isenabled()
    assert gc.isenabled()


def test_where_it_is_off_it_stays_off() -> None:
    gc.disable()
    try:
        with uncollected:
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_step_is_run_for_the_first_time_without_it(backend: Any) -> None:
    seen: list[bool] = []

    class Watched(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            seen.append(gc.isenabled())
            return ops.multiply(x, 2.0)

    model = keras.Sequential([keras.Input((2,)), Watched(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    seen.clear()  # of the graph's construction
    x = np.ones((8, 2), "float32")
    model.fit(x, x[:, :1], batch_size=4, epochs=2, verbose=0)
    assert False in seen
    assert gc.isenabled()
