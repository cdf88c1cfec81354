"""Steps in a framework's own idiom on two workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.closeness import assert_close
from helpers.workers import results_of

SCRIPT = Path(__file__).parent / "scripts" / "native_steps.py"


@pytest.mark.slow
@pytest.mark.needs("torch")
def test_gradients_are_averaged_by_our_optimizer_and_weights_that_drift_apart_are_told() -> None:
    (one,) = results_of(SCRIPT, "torch", 1)
    first, second = results_of(SCRIPT, "torch", 2)
    assert first == second
    assert_close(first["ours"], one["ours"])
    assert "weights of worker 1 are not those of worker 0" in first["theirs"]
