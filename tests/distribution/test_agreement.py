"""Workers that do not agree are told at the start, all in the same words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from helpers.workers import results_of
from polykeras.backend import Backend
from polykeras.distribution.agreement import check_agreement, disagreement

SCRIPT = Path(__file__).parent / "scripts" / "agreement.py"


@pytest.mark.slow
def test_all_workers_are_told_the_same(backend: Backend) -> None:
    first, second = results_of(SCRIPT, backend.name, 2)
    assert first == second
    size, model, callbacks, name = first
    assert "- batch_size: 32 on worker 0; 33 on worker 1\n`batch_size` counts the rows of all workers together" in size
    assert re.search(r"- model: \.{3}.*a model's config, 0\.{3} on worker 0; \.{3}.*config, 1\.{3} on worker 1", model)
    assert "batch_size" not in model
    assert "- callbacks: EarlyStopping on worker 0; (nothing) on worker 1" in callbacks
    assert f"- größe:  on worker 0; {'ä' * 10} on worker 1" in name


def test_one_worker_agrees(backend: Backend) -> None:
    check_agreement(backend, {"seed": "1"})


def test_messages_name_workers_in_short() -> None:
    facts = [{"seed": "1" if number in (0, 1, 2, 5) else "2", "epochs": "3"} for number in range(7)]
    assert disagreement(facts).splitlines() == [
        "The 7 workers of this run do not agree. They gave different values for:",
        "- seed: 1 on workers 0-2, 5; 2 on workers 3-4, 6",
        "Call `keras.utils.set_random_seed` with one number on all workers, or on none before `initialize`.",
    ]
