"""Checkpoints of Orbax that several workers train for: one of them writes whole values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from helpers.workers import results_of
from polykeras.saving.orbax import complete_steps

pytest.importorskip("orbax.checkpoint")
pytestmark = pytest.mark.together
SCRIPT = Path(__file__).parent / "scripts" / "orbax_checkpoints.py"


@pytest.mark.parametrize(
    ("engine", "how"),
    [
        pytest.param("numpy", "shared", marks=pytest.mark.needs("numpy")),
        pytest.param("torch", "cut", marks=pytest.mark.needs("torch")),
    ],
)
def test_one_worker_writes_for_all(engine: str, how: str, tmp_path: Path) -> None:
    first, second = results_of(SCRIPT, engine, 2, [str(tmp_path), how])
    assert first == second
    assert complete_steps(tmp_path) == [1]
    loaded: Any = keras.saving.load_model(tmp_path)
    found = [float(np.abs(v.numpy()).sum()) for v in [*loaded.variables, *loaded.optimizer.variables]]
    assert found == first
