"""What is said to differ from Keras on purpose does, and as is said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

import polykeras
from differential.opponent import keras
from differential.programs import shown as programs
from differential.shown import Shown, fitting, models, objects, training
from known_differences.from_keras import FITTING, MODELS, OBJECTS, PROGRAMS, TRAINING
from polykeras.backend import use_backend

pytestmark = pytest.mark.keras

TABLES: tuple[tuple[Shown, tuple[Any, ...]], ...] = (
    (fitting.SHOWN, FITTING),
    (models.SHOWN, MODELS),
    (objects.SHOWN, OBJECTS),
    (training.SHOWN, TRAINING),
)
SHOWN: Shown = {case: entry for shown, _ in TABLES for case, entry in shown.items()}


@pytest.mark.filterwarnings("ignore")  # they differ as well
@pytest.mark.parametrize("case", SHOWN)
def test_they_differ_as_is_said(case: str) -> None:
    show, ours, theirs = SHOWN[case]
    with use_backend("jax"):
        assert show(polykeras) == ours
    assert show(keras()) == theirs


@pytest.mark.parametrize(("shown", "told"), [*TABLES, (programs.SHOWN, PROGRAMS)])
def test_each_is_shown(shown: Mapping[str, Any], told: tuple[Any, ...]) -> None:
    assert {entry.case for entry in told} == set(shown)
