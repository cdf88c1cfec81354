"""Programs that nobody thought of show the same here as in Keras, and the same on each framework."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from differential.programs.survey import pair_of, survey
from helpers.slices import number_of_commit

pytestmark = [pytest.mark.keras, pytest.mark.whole]

PROGRAMS = {"keras": 40, "numpy": 20}
FRAMEWORKS = ("jax", "tensorflow", "torch")


def seed_of_run() -> int:
    """Return the seed: another one for each commit, or that of `POLYKERAS_PROGRAMS_SEED`."""
    return int(os.environ.get("POLYKERAS_PROGRAMS_SEED") or number_of_commit() % 10**6)


@pytest.mark.parametrize("beside", PROGRAMS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_programs_show_the_same(framework: str, beside: str) -> None:
    seed = seed_of_run()
    with pair_of(framework, beside) as pair:
        _, found = survey(pair, PROGRAMS[beside], seed)
    again = f"python -m differential.programs.survey {framework} --beside {beside} --seed {seed}"
    assert not found, f"{again} (with --shrink: the shortest form)\n" + "\n\n".join(_told(*entry) for entry in found)


def _told(calls: list[dict[str, Any]], differs: str) -> str:
    return "\n".join([*(json.dumps(call) for call in calls), differs])
