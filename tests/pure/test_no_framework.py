"""Describing models loads no framework: they are loaded by the first call on data."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FRAMEWORKS = ("jax", "torch", "tensorflow", "keras")

SETUP = """
import polykeras as keras
from polykeras import layers

def sequential():
    return keras.Sequential([keras.Input((8, 3)), layers.Conv1D(4, 3), layers.BatchNormalization(), layers.GRU(5),
                             layers.Dropout(0.5), layers.Dense(2, "softmax", kernel_regularizer="l2")])

def functional():
    a, b = keras.Input((8, 3)), keras.Input((3,))
    shared = layers.Dense(3, "relu")
    joined = layers.Concatenate()([shared(layers.GlobalAveragePooling1D()(a)), shared(b) * 2.0 + keras.ops.sin(b)])
    return keras.Model([a, b], layers.Dense(1)(joined))

def nested():
    x = keras.Input((8, 3))
    return keras.Model(x, layers.Dense(1)(sequential()(x)))

models = [sequential(), functional(), nested()]
"""

STEPS = {
    "building": "assert [m.count_params() > 0 for m in models] == [True] * 3",
    "summary": "for m in models: m.summary(expand_nested=True)",
    "configs": "for m in models: assert len(type(m).from_config(m.get_config()).weights) == len(m.weights)",
    "cloning": "for m in models: keras.models.clone_model(m)",
    "compile": "for m in models: m.compile('adam', 'mse', metrics=['mae', 'accuracy'])",
    "seeds": "keras.utils.set_random_seed(1); sequential()",
    "backends": "assert not any(b.devices for b in keras.backends() if b.name != 'numpy')",
}


@pytest.mark.parametrize("step", STEPS)
def test_loads_no_framework(step: str, tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.endswith("KERAS_BACKEND")}
    program = f"{SETUP}\n{STEPS[step]}\nimport sys\nprint('loaded:', *[n for n in {FRAMEWORKS!r} if n in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environment | {"POLYKERAS_HOME": str(tmp_path), "PYTHONIOENCODING": "utf-8"},
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1].split() == ["loaded:"]
