"""Adversarial programs on PyTorch, by each way in which a function comes to be compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import polykeras as k
from adversarial.harness import Program, judge, page_has, plain
from polykeras import fast
from polykeras.backend import use_backend

torch = pytest.importorskip("torch")
pytestmark = [
    pytest.mark.needs("torch"),
    pytest.mark.skipif(not fast.enabled(), reason="without fast paths nothing is recorded"),
]

from adversarial.torch_programs import KINDS, PROGRAMS  # noqa: E402


@pytest.fixture
def tb() -> Iterator[Any]:
    with use_backend("torch") as backend:
        yield backend


def as_function(backend: Any, fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return a compiled function."""
    return backend.compile(fn)


def as_step(backend: Any, fn: Callable[..., Any], steps: int = 1) -> Callable[..., Any]:
    """Return a function of rows as a chunk of training steps over all of them, whose logs are its last result."""

    def step(state: list[Any], batch: Any) -> tuple[list[Any], Any]:
        result = fn(batch)
        return [state[0] + 1], result

    run = backend.compile_steps(step)

    def call(x: Any) -> Any:
        rows = torch.arange(len(x), device="cpu")
        (count,), result = run([torch.zeros((), device="cpu")], x, rows.expand(steps, -1), 0, steps)
        assert count.item() == steps
        return result

    return call


def as_chunk(backend: Any, fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return it as a chunk of three steps, of which all but the last are one loop."""
    return as_step(backend, fn, 3)


def in_prediction(backend: Any, fn: Callable[..., Any], eagerly: bool = False) -> Callable[..., Any]:
    """Return it as what a model predicts on a batch."""

    class Native(k.layers.Layer):
        def call(self, x: Any) -> Any:
            return fn(x)

    model = k.Sequential([Native()])
    model.compile(run_eagerly=eagerly)
    return model.predict_on_batch


def in_eager_prediction(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return it as what a model predicts that runs eagerly; it builds itself first, by calls of the function too."""
    return in_prediction(None, fn, eagerly=True)


def times(count: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return what makes of a function one that calls it some times, as steps do, and returns what came last."""

    def entry(fn: Callable[..., Any]) -> Callable[..., Any]:
        def call(x: Any) -> Any:
            return [fn(x) for _ in range(count)][-1]

        return call

    return entry


ENTRIES: dict[str, tuple[Callable[..., Any], Any]] = {
    "function": (as_function, plain),
    "step": (as_step, times(1)),
    "chunk": (as_chunk, times(3)),
    "prediction": (in_prediction, in_eager_prediction),
}

# What a model gives are arrays of NumPy; and a model runs on shapes first, which these functions do not.
OF_TENSORS = {
    "changed_results", "custom", "frozen_parameter", "functional_transforms", "grad_mode_of_a_parameter", "nested", "script_module",
}  # fmt: skip

# A prediction is a step of a model, which is compiled anew when these change.
NOTICED_BY_STEPS = {"closed_number", "closed_list", "reassigned_tensor"}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_program(tb: Any, program: Program, entry: str) -> None:
    if entry == "chunk" and program.outcome == "read once":
        pytest.skip("a chunk of three calls reads once too, but its first call is not that of the plain function")
    if entry != "function" and str(program) in KINDS:
        pytest.skip("data are blocks of numbers")
    if entry == "prediction" and str(program) in OF_TENSORS:
        pytest.skip("it asks for tensors, which a model does not give")

    def to_host(x: Any) -> Any:
        return tb.to_numpy(x) if isinstance(x, torch.Tensor) else np.asarray(x)

    make, reference = ENTRIES[entry]
    outcome = judge(program, lambda fn: make(tb, fn), lambda: torch.manual_seed(0), to_host, reference)
    noticed = entry == "prediction" and str(program) in NOTICED_BY_STEPS
    assert outcome == ("equal" if noticed else program.outcome)


def test_the_page_has_the_table() -> None:
    """`python tests/adversarial/write_page.py` writes it anew."""
    assert page_has(PROGRAMS)
    assert len(PROGRAMS) >= 60
