"""One seed, one experiment: on one worker, two and four the same numbers, and on all workers the same bits."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.closeness import assert_close
from helpers.workers import results_of
from polykeras.backend import Backend

SCRIPTS = Path(__file__).parent / "scripts"


@pytest.mark.slow
@pytest.mark.parametrize("script", ["same_experiment.py", "other_ways_to_train.py"])
def test_the_number_of_workers_changes_no_number(backend: Backend, script: str) -> None:
    (one,) = results_of(SCRIPTS / script, backend.name, 1)
    first, second = results_of(SCRIPTS / script, backend.name, 2)
    assert second == first, "workers differ"
    assert_close(first, one)


@pytest.mark.slow
@pytest.mark.needs("numpy")
def test_four_workers() -> None:
    (one,) = results_of(SCRIPTS / "same_experiment.py", "numpy", 1)
    first, *others = results_of(SCRIPTS / "same_experiment.py", "numpy", 4)
    assert all(other == first for other in others), "workers differ"
    assert_close(first, one)


@pytest.mark.slow
@pytest.mark.needs("jax")
def test_devices_of_one_process_are_workers() -> None:
    (one,) = results_of(SCRIPTS / "same_experiment.py", "jax", 1, ["dense", "conv"])
    # Two processes of two devices are four workers.
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    first, second = results_of(SCRIPTS / "same_experiment.py", "jax", 2, ["dense", "conv"], flags)
    assert first == second
    assert_close(first, one)
