"""Every example runs on every backend, ends soon, writes its picture and says what it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.forks import start
from polykeras.backend import Backend

EXAMPLES = Path(__file__).parents[2] / "examples"
# Ray starts processes of its own: tests/distribution/test_ray.py runs its example.
SCRIPTS = sorted(path.stem for path in EXAMPLES.glob("*.py") if path.stem not in ("shared", "ray_two_workers"))
# Enough epochs to see that the loss goes down; a reader's own run takes the full number.
SHORT = {"text_rnn": ["--epochs", "2", "--sentences", "300"], "diabetes_regression": ["--epochs", "30"]}


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_example(script: str, backend: Backend, tmp_path: Path) -> None:
    options = ["--backend", backend.name, *SHORT.get(script, ["--epochs", "5"])]
    command, log = [str(EXAMPLES / f"{script}.py"), *options], tmp_path / "printed"
    strict, used = ("-W", "error::DeprecationWarning:__main__"), ("matplotlib.pyplot", "sklearn.datasets")
    code = start(backend.name, command, log, strict, used, POLYKERAS_OUTPUTS=str(tmp_path)).wait()
    printed = log.read_text()
    assert code == 0, printed
    assert f"backend: {backend.name}" in printed
    picture = tmp_path / f"{script}.png"
    assert picture.stat().st_size > 5_000, "the picture is empty"
