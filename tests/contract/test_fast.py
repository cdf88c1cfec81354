"""The switch for fast paths, and the account of what was chosen; each in a process of its own, which reads them once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from polykeras import fast
from polykeras.backend import Backend

OVERRIDES = """
import inspect, sys
from polykeras.backend import Backend, registry
found = type(registry.load(sys.argv[1]))
print(*(name for name in dir(Backend) if hasattr(getattr(Backend, name), "__op__")
        and not getattr(getattr(Backend, name), "__isabstractmethod__", False)
        and inspect.unwrap(getattr(found, name)) is not inspect.unwrap(getattr(Backend, name))))
"""

CALLS = """
import sys
import numpy as np
import polykeras as keras
with keras.use_backend(sys.argv[1]):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.LayerNormalization()], name="m")
    x = keras.ops.convert_to_tensor(np.ones((2, 4), "float32"))
    for _ in range(4):
        model(x)
    model.compile("adam", "mse")
    model.fit(np.ones((4, 4), "float32"), np.ones((4, 3), "float32"), verbose=0)
"""


def run(code: str, backend: str, **variables: str) -> subprocess.CompletedProcess[str]:
    # With fast paths, also where the tests themselves run without.
    environment = (
        os.environ
        | {"TF_CPP_MIN_LOG_LEVEL": "3", "POLYKERAS_FAST": "1", "PYTHONWARNINGS": "error::RuntimeWarning"}
        | variables
    )
    command = [sys.executable, "-c", code, backend]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_switch_takes_the_overrides_away(backend: Backend) -> None:
    fast, plain = run(OVERRIDES, backend.name), run(OVERRIDES, backend.name, POLYKERAS_FAST="0")
    assert fast.returncode == plain.returncode == 0, fast.stderr + plain.stderr
    assert fast.stdout.strip()
    assert plain.stdout.strip() == ""


def test_a_wrong_value_is_refused() -> None:
    done = run(OVERRIDES, "numpy", POLYKERAS_FAST="maybe")
    assert done.returncode
    assert "POLYKERAS_FAST must be 0 or 1, or names of fast paths" in done.stderr
    assert "received 'maybe'" in done.stderr


def test_single_kernels_are_taken_away(backend: Backend) -> None:
    whole = run(OVERRIDES, backend.name).stdout.split()
    left = run(OVERRIDES, backend.name, POLYKERAS_FAST=f"-{whole[0]},-repeated-calls").stdout.split()
    assert left == whole[1:]
    assert run(OVERRIDES, backend.name, POLYKERAS_FAST="-kernels").stdout.split() == []


def test_a_path_that_does_not_exist_is_refused() -> None:
    done = run(OVERRIDES, "numpy", POLYKERAS_FAST="-recoder")
    assert done.returncode
    assert "POLYKERAS_FAST takes away recoder: expected fast paths (" in done.stderr


def test_each_path_is_asked_for_somewhere() -> None:
    root = Path(__file__).parents[2]
    sources = [path.read_text("utf-8") for room in ("polykeras", "backends") for path in (root / room).rglob("*.py")]
    assert set(re.findall(r'fast\.enabled\("([^"]*)"\)', "\n".join(sources))) == fast.PATHS.keys() - {"kernels"}


TOLD = {
    "jax": [
        "programs of JAX for the CPU: asked to run in the thread that calls them",
        "calls of model 'm': compiled, as they are repeated",
    ],
    "tensorflow": ["calls of model 'm': compiled, as they are repeated", "a chunk of steps: XLA, as it fuses"],
    "torch": ["freed memory on torch: kept for the next step", "adam's rule on torch: its own kernel"],
}


def test_choices_are_told_where_that_is_asked_for(backend: Backend) -> None:
    def lines(**variables: str) -> list[str]:
        done = run(CALLS, backend.name, **variables)
        assert done.returncode == 0, done.stderr
        return [line for line in done.stderr.splitlines() if line.startswith("polykeras: ")]

    assert lines() == []
    assert lines(POLYKERAS_EXPLAIN="1", POLYKERAS_FAST="0") == []
    found, told = lines(POLYKERAS_EXPLAIN="1"), TOLD.get(backend.name, [])
    assert len(found) == len(told)
    for line, beginning in zip(found, told, strict=True):
        assert line.startswith(f"polykeras: {beginning}")


AWAY = {"jax": "caller-thread", "tensorflow": "xla", "torch": "freed-memory"}


def test_one_path_is_taken_away_alone(backend: Backend) -> None:
    done = run(CALLS, backend.name, POLYKERAS_EXPLAIN="1", POLYKERAS_FAST=f"-{AWAY.get(backend.name, 'loaders')}")
    assert done.returncode == 0, done.stderr
    told = TOLD.get(backend.name, [])
    without = {"jax": told[1:], "tensorflow": told[:1], "torch": told[1:]}.get(backend.name, [])
    assert all(line in done.stderr for line in without)
    assert not any(line in done.stderr for line in told if line not in without)
