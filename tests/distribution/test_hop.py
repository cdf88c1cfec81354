"""One run that changes frameworks and the number of workers on its way."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.closeness import assert_close
from helpers.workers import results_of

SCRIPT = Path(__file__).parent / "scripts" / "faults.py"


@pytest.mark.slow
@pytest.mark.whole
@pytest.mark.needs("numpy", "jax", "torch")
def test_two_workers_on_torch_then_four_on_jax_then_one_on_numpy(tmp_path: Path) -> None:
    for backend, size, epochs in (("torch", 2, 2), ("jax", 4, 4)):
        results_of(SCRIPT, backend, size, ["train", str(tmp_path / "hop"), str(epochs)])
    (hopped,) = results_of(SCRIPT, "numpy", 1, ["train", str(tmp_path / "hop"), "6"])
    (stayed,) = results_of(SCRIPT, "numpy", 1, ["train", str(tmp_path / "stay"), "6"])
    assert_close(hopped, stayed)
