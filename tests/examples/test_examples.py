"""Every example runs on every backend, ends soon, writes its picture and says what it shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from polykeras.backend import Backend

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(path.stem for path in EXAMPLES.glob("*.py") if path.stem != "shared")
# Enough epochs to see that the loss goes down; a reader's own run takes the full number.
SHORT = {"text_rnn": ["--epochs", "2", "--sentences", "300"], "diabetes_regression": ["--epochs", "30"]}


@pytest.mark.parametrize("script", SCRIPTS)
def test_example(script: str, backend: Backend, tmp_path: Path) -> None:
    strict = "error::DeprecationWarning:__main__"
    environment = {**os.environ, "POLYKERAS_OUTPUTS": str(tmp_path), "PYTHONWARNINGS": strict}
    options = ["--backend", backend.name, *SHORT.get(script, ["--epochs", "5"])]
    command = [sys.executable, str(EXAMPLES / f"{script}.py"), *options]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"backend: {backend.name}" in run.stdout
    picture = tmp_path / f"{script}.png"
    assert picture.stat().st_size > 5_000, "the picture is empty"
