"""Programs that nobody thought of show the same here as in Keras, and the same on each framework."""

from __future__ import annotations

import json
from typing import Any

import pytest

from differential.programs.opponents import Differs, Pair
from differential.programs.shown import SHOWN
from differential.programs.survey import pair_of, survey
from helpers.slices import PARTS, current_slice

pytestmark = pytest.mark.keras

COUNTS = {"keras": 12, "numpy": 6}
FRAMEWORKS = ("jax", "tensorflow", "torch")
SLICE = current_slice()
SEEDS = [int(SLICE.partition("/")[0])] if SLICE else range(1, PARTS + 1)
"""Each slice has other programs; of all others, some in a hundred still differ, which a landing must not depend on."""


@pytest.mark.moves
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("beside", COUNTS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_programs_show_the_same(framework: str, beside: str, seed: int) -> None:
    with pair_of(framework, beside) as pair:
        _, found = survey(pair, COUNTS[beside], seed)
    again = f"python -m differential.programs.survey {framework} --beside {beside} --seed {seed}"
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


def _told(calls: list[dict[str, Any]], differs: str) -> str:
    return "\n".join([*(json.dumps(call) for call in calls), differs])
