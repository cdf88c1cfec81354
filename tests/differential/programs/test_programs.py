"""Programs that nobody thought of show the same here as in Keras, and the same on each framework."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from differential.programs.opponents import Differs, Pair
from differential.programs.shown import SHOWN
from differential.programs.survey import pair_of, survey
from known_differences.from_keras import PROGRAMS

pytestmark = [pytest.mark.keras, pytest.mark.whole]

COUNTS = {"keras": 20, "numpy": 10}
FRAMEWORKS = ("jax", "tensorflow", "torch")
SEED = int(os.environ.get("POLYKERAS_PROGRAMS_SEED", "1"))
"""Always the same, as some Keras programs in a hundred still differ in ways that are listed nowhere; by hand, any other."""


@pytest.mark.parametrize("beside", COUNTS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_programs_show_the_same(framework: str, beside: str) -> None:
    with pair_of(framework, beside) as pair:
        _, found = survey(pair, COUNTS[beside], SEED)
    again = f"python -m differential.programs.survey {framework} --beside {beside} --seed {SEED}"
    assert not found, f"{again} (with --shrink: the shortest form)\n" + "\n\n".join(_told(*entry) for entry in found)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_programs_differ_as_is_said(framework: str) -> None:
    with pair_of(framework, "keras") as pair:
        told = {case: _difference(pair, shown.calls) for case, shown in SHOWN.items()}
    expected = {
        case: shown.differs.split("|") if framework in shown.frameworks else [""] for case, shown in SHOWN.items()
    }
    wrong = {case: text for case, text in told.items() if not any(part in text for part in expected[case])}
    equal = [case for case, text in told.items() if bool(text) != (framework in SHOWN[case].frameworks)]
    assert not wrong
    assert not equal


def _difference(pair: Pair, calls: list[dict[str, Any]]) -> str:
    """Return what differs at the last call of a program; nothing else may."""
    pair.both({"do": "reset"})
    for call in calls[:-1]:
        pair.both(call)
    try:
        pair.both(calls[-1])
    except Differs as differs:
        return str(differs)
    return ""


def test_each_is_shown() -> None:
    assert {entry.case for entry in PROGRAMS} == set(SHOWN)


def _told(calls: list[dict[str, Any]], differs: str) -> str:
    return "\n".join([*(json.dumps(call) for call in calls), differs])
