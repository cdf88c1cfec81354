"""Adversarial programs on TensorFlow, by each way in which a function comes to be compiled."""

from __future__ import annotations

import pytest

from adversarial.entries import ENTRIES, in_own_process, judged, outcome_of
from adversarial.harness import Program, page_has
from polykeras.backend import use_backend

tf = pytest.importorskip("polykeras_tensorflow.backend").tf
pytestmark = pytest.mark.needs("tensorflow")

from adversarial.tensorflow_programs import PROGRAMS  # noqa: E402


@pytest.mark.parametrize(("program", "entry"), judged(PROGRAMS), ids=str)
def test_program(program: Program, entry: str) -> None:
    with use_backend("tensorflow") as backend:
        outcome = outcome_of(program, lambda fn: ENTRIES[entry](backend, fn))
    assert outcome == program.outcome


@pytest.mark.slow
def test_programs_in_a_process_of_their_own() -> None:
    in_own_process("tensorflow")


def test_the_page_has_the_table() -> None:
    """`python tests/adversarial/write_page.py` writes it anew."""
    assert page_has(PROGRAMS)
    assert len(PROGRAMS) >= 60
