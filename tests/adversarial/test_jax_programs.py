"""Adversarial programs on JAX, by each way in which a function comes to be compiled."""

from __future__ import annotations

from typing import Any

import pytest

from adversarial.entries import ENTRIES, in_own_process, judged, outcome_of
from adversarial.harness import Program, page_has
from polykeras.backend import use_backend

jax = pytest.importorskip("jax")
pytestmark = pytest.mark.needs("jax")

from adversarial.jax_programs import PROGRAMS  # noqa: E402


@pytest.mark.parametrize(("program", "entry"), judged(PROGRAMS), ids=str)
def test_program(program: Program, entry: str) -> None:
    with use_backend("jax") as backend:
        outcome = outcome_of(program, lambda fn: ENTRIES[entry](backend, fn))
    assert outcome == program.outcome


@pytest.mark.slow
def test_programs_in_a_process_of_their_own() -> None:
    in_own_process("jax")


def test_the_page_has_the_table() -> None:
    """`python tests/adversarial/write_page.py` writes it anew."""
    assert page_has(PROGRAMS)
    assert len(PROGRAMS) >= 60


def test_options_that_jit_does_not_look_at_are_those_that_it_leaves_out() -> None:
    """Should JAX come to make another program for one of these, `polykeras_jax.compiling` need not."""

    def times_traced(option: str, value: Any) -> int:
        traces = []
        fn = jax.jit(lambda x: traces.append(1) or x)
        fn(1.0)
        before = getattr(jax.config, option)
        jax.config.update(option, value)
        try:
            fn(1.0)
        finally:
            jax.config.update(option, before)
        return len(traces)

    assert times_traced("jax_default_prng_impl", "rbg") == 1
    assert times_traced("jax_high_dynamic_range_gumbel", True) == 1
    assert times_traced("jax_default_matmul_precision", "highest") == 2
