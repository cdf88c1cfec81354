"""Frameworks meet in one process in any order of imports, and every process gives the same bits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from parity.processes import run_python
from polykeras import layers

FRAMEWORKS = ("jax", "torch", "tensorflow")
ORDERS = [FRAMEWORKS[i:] + FRAMEWORKS[:i] for i in range(3)]
"""In these, each framework comes first once and last once, and before each other one at least once."""

PROGRAM = """
import json, sys
for name in sys.argv[1:]:  # a user's own imports, before anything of ours
    __import__(name)
from parity.test_import_order import record
print(json.dumps({name: record(name) for name in (*sys.argv[1:], "numpy")}))
"""


def _digest(arrays: Iterable[np.ndarray]) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


@cache
def record(backend: str) -> dict[str, Any]:
    """Return all that comes of a training on a backend, bit by bit."""
    x = np.random.default_rng(0).normal(size=(96, 6)).astype("float32")
    with keras.use_backend(backend):
        keras.utils.set_random_seed(5)
        model = keras.Sequential([keras.Input((6,)), layers.Dense(8, activation="tanh"), layers.Dropout(0.3)])
        model.add(layers.Dense(1))
        initial = model.get_weights()
        model.compile(keras.optimizers.Adam(1e-2), "mse")
        losses = model.fit(x, x[:, :1] * x[:, 1:2], epochs=2, verbose=0).history["loss"]
        predictions = model.predict(x, verbose=0)
    return {
        "initial": _digest(initial),
        "losses": [loss.hex() for loss in losses],
        "final": _digest(model.get_weights()),
        "predictions": _digest([predictions]),
    }


@pytest.mark.needs(*FRAMEWORKS, "numpy")
@pytest.mark.parametrize("order", ORDERS, ids=",".join)
def test_any_order_in_another_process(order: tuple[str, ...]) -> None:
    """Import in this order, train on each: the same bits as here. Python's hash seed is another one, too."""
    found = json.loads(run_python(PROGRAM, *order, PYTHONHASHSEED=str(1 + FRAMEWORKS.index(order[0]))))
    assert list(found) == [*order, "numpy"]
    for backend, result in found.items():
        assert result == record(backend), backend
        assert result["initial"] == record("numpy")["initial"], backend
    assert found["numpy"]["losses"][0] != found["numpy"]["losses"][1]
