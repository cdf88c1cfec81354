"""Frameworks meet in one process in any order, and another process gives the same bits."""

from __future__ import annotations

import json
from itertools import permutations

import pytest

from parity.processes import run_python
from polykeras.backend import Backend

FRAMEWORKS = ("jax", "torch", "tensorflow")

STEP = """
import json, sys
import numpy as np

def step(name):
    import polykeras as keras
    keras.utils.set_random_seed(0)
    with keras.use_backend(name):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="tanh"), keras.layers.Dense(1)])
        model.compile("adam", "mse")
        x = np.linspace(-1, 1, 32, dtype="float32").reshape(8, 4)
        model.train_on_batch(x, x[:, :1])
        return float(model.train_on_batch(x, x[:, :1]))

"""
IMPORTS = "for name in sys.argv[1:]: __import__(name)\n"
REPORT = "print(json.dumps({name: step(name) for name in sys.argv[1:]}))"


@pytest.mark.needs(*FRAMEWORKS)
@pytest.mark.parametrize("order", list(permutations(FRAMEWORKS)), ids=",".join)
def test_any_order_of_imports(order: tuple[str, ...]) -> None:
    """A user's own imports in this order, then steps on each, in the same process."""
    losses = json.loads(run_python(STEP + IMPORTS + REPORT, *order))
    assert list(losses) == list(order)
    assert max(losses.values()) - min(losses.values()) <= 1e-6 * max(losses.values())


RECORD = """
import hashlib, json, sys
import numpy as np
import polykeras as keras
from parity.experiments import cancer_data, cancer_model, train

def digest(arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()

found = {}
for name in sys.argv[1:]:
    run = train(name, cancer_model, cancer_data(), 2, seed=5)
    found[name] = [digest(run.initial), run.losses.tolist(), digest(run.final), digest([run.predictions])]
print(json.dumps(found))
"""


def test_another_process_gives_the_same_bits(all_backends: list[Backend]) -> None:
    """Neither the hash seed of Python nor the order of the backends matters."""
    names = [backend.name for backend in all_backends]
    first = json.loads(run_python(RECORD, *names, PYTHONHASHSEED="1"))
    second = json.loads(run_python(RECORD, *reversed(names), PYTHONHASHSEED="2"))
    assert first == second
    assert len({record[0] for record in first.values()}) == 1, "initial weights are the same on all backends"
