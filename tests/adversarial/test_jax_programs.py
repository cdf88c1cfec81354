"""Adversarial programs on JAX, by each way in which a function comes to be compiled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from adversarial.entries import BY_FUNCTION, ENTRIES, outcome_of
from adversarial.harness import Program
from polykeras.backend import use_backend

jax = pytest.importorskip("jax")
pytestmark = pytest.mark.needs("jax")

from adversarial.jax_programs import PROGRAMS  # noqa: E402

CASES = [
    (program, entry)
    for program in PROGRAMS
    for entry in ENTRIES
    if entry == "function" or program.kind not in BY_FUNCTION
]


@pytest.fixture
def jb() -> Iterator[Any]:
    with use_backend("jax") as backend:
        yield backend


@pytest.mark.parametrize(("program", "entry"), CASES, ids=lambda case: str(case))
def test_program(jb: Any, program: Program, entry: str) -> None:
    outcome = outcome_of(program, lambda fn: ENTRIES[entry](jb, fn), lambda: None, _to_host)
    assert outcome == program.outcome


def _to_host(x: Any) -> Any:
    import numpy as np

    return np.asarray(x)
