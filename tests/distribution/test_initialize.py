"""`keras.distribution.initialize` between processes that a launcher started."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.workers import results_of
from polykeras.backend import Backend

SCRIPT = Path(__file__).parent / "scripts" / "initialize.py"


@pytest.mark.slow
def test_processes_are_connected(backend: Backend) -> None:
    first, second = results_of(SCRIPT, backend.name, 2, environment={"POLYKERAS_WORKER_TIMEOUT": "60"})
    assert first["workers"] == 2
    assert first["shared"] == 2
    assert first["devices"] == ["cpu:0", "cpu:1"]
    assert first["total"] == [3.0]
    assert first["timeout"] == 60
    assert first["again"] == str(first["seed"])
    assert first == second, "seeds, and so initial weights, are the same"
