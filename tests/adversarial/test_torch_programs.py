"""Adversarial programs on PyTorch, by each way in which a function comes to be compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from adversarial.harness import Program, judge
from polykeras import fast
from polykeras.backend import use_backend

torch = pytest.importorskip("torch")
pytestmark = [
    pytest.mark.needs("torch"),
    pytest.mark.skipif(not fast.enabled(), reason="without fast paths nothing is recorded"),
]

from adversarial.torch_programs import PROGRAMS  # noqa: E402


@pytest.fixture
def tb() -> Iterator[Any]:
    with use_backend("torch") as backend:
        yield backend


def as_step(backend: Any, fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of one array of rows as two training steps of one chunk, whose logs are its result."""

    def step(state: list[Any], batch: Any) -> tuple[list[Any], Any]:
        result = fn(batch)
        return [state[0] + 1], result

    run = backend.compile_steps(step)

    def call(x: Any) -> Any:
        _, result = run([torch.zeros(())], x, torch.arange(len(x))[None], 0, 1)
        return result

    return call


ENTRIES = {"function": lambda backend, fn: backend.compile(fn), "step": as_step}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_program(tb: Any, program: Program, entry: str) -> None:
    def to_host(x: Any) -> Any:
        return tb.to_numpy(x) if isinstance(x, torch.Tensor) else np.asarray(x)

    outcome = judge(program, lambda fn: ENTRIES[entry](tb, fn), lambda: torch.manual_seed(0), to_host)
    assert outcome == program.outcome
