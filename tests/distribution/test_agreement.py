"""Workers that do not agree are told at the start, all in the same words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from helpers.workers import results_of
from polykeras.backend import Backend
from polykeras.distribution.agreement import check_agreement, disagreement

SCRIPTS = Path(__file__).parent / "scripts"


@pytest.mark.slow
def test_all_workers_are_told_the_same(backend: Backend) -> None:
    first, second = results_of(SCRIPTS / "agreement.py", backend.name, 2)
    assert first == second
    size, model, callbacks, name = first
    assert "- batch_size: 32 on worker 0; 33 on worker 1\n`batch_size` counts the rows of all workers together" in size
    assert re.search(r"- model: \.{3}.*a model's config, 0\.{3} on worker 0; \.{3}.*config, 1\.{3} on worker 1", model)
    assert "batch_size" not in model
    assert "- callbacks: EarlyStopping on worker 0; (nothing) on worker 1" in callbacks
    assert f"- größe:  on worker 0; {'ä' * 10} on worker 1" in name


@pytest.mark.slow
def test_workers_that_do_different_things_are_told(backend: Backend) -> None:
    first, second = results_of(SCRIPTS / "different_things.py", backend.name, 2)
    assert first == second
    callback, validation, epoch, evaluation, batch, step, losses = first
    assert "worker 0 evaluates; worker 1 ends an epoch of `fit`. All must" in callback
    assert "- validation_freq: 1 on worker 0; 2 on worker 1" in validation
    assert re.search(
        r"- begins: .*epoch=0, .* on worker 0; .*epoch=1, .* on worker 1\nPass the same `initial_epoch`", epoch
    )
    assert "different sizes at step 1: 8, 4 rows" in evaluation
    assert "received 16, 15 rows on workers 0, 1" in batch
    assert "worker 0 calls `train_on_batch`; worker 1 calls `test_on_batch`" in step
    assert losses.startswith("["), "they still work together"


def test_one_worker_agrees(backend: Backend) -> None:
    check_agreement(backend, {"seed": "1"})


def test_messages_name_workers_in_short() -> None:
    facts = [{"seed": "1" if number in (0, 1, 2, 5) else "2", "epochs": "3"} for number in range(7)]
    assert disagreement(facts).splitlines() == [
        "The 7 workers of this run do not agree. They gave different values for:",
        "- seed: 1 on workers 0-2, 5; 2 on workers 3-4, 6",
        "Call `keras.utils.set_random_seed` with one number on all workers, or on none before `initialize`.",
    ]
