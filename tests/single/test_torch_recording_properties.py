"""Random programs of pointwise calls, views and changes in place mean the same when they are repeated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polykeras.backend import use_backend

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.needs("torch")

ROWS, COLUMNS = 32, 64  # large enough for memory to be reused

UNARY: list[Callable[[Any], Any]] = [
    lambda a: a + 1.5,
    lambda a: a * 0.5,
    torch.sigmoid,
    torch.tanh,
    torch.neg,
    torch.zeros_like,
    lambda a: a.clone(),
    lambda a: a.reshape(-1)[: ROWS * COLUMNS].view(ROWS, COLUMNS),
    lambda a: a.reshape(COLUMNS, ROWS).t().reshape(ROWS, COLUMNS),
    lambda a: a[:1].expand(ROWS, COLUMNS),
    lambda a: torch.ones(ROWS, COLUMNS) * 0.25,
    lambda a: a.flip(0),
]
BINARY: list[Callable[[Any, Any], Any]] = [
    lambda a, b: a + b,
    lambda a, b: a * b,
    lambda a, b: torch.maximum(a, b),
    lambda a, b: torch.where(a > b, a, b),
    lambda a, b: a - b[:1],
]
IN_PLACE: list[Callable[[Any, Any], Any]] = [
    lambda a, b: a.add_(b * 0.5),
    lambda a, b: a.mul_(0.5),
    lambda a, b: a[1].copy_(b[2]),
    lambda a, b: a.view(-1)[:7].zero_(),
]

PLACES = st.integers(0, 30)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("unary"), st.sampled_from(range(len(UNARY))), PLACES, PLACES),
        st.tuples(st.just("binary"), st.sampled_from(range(len(BINARY))), PLACES, PLACES),
        st.tuples(st.just("in place"), st.sampled_from(range(len(IN_PLACE))), PLACES, PLACES),
    ),
    min_size=1,
    max_size=12,
)


def interpreted(steps: list[tuple[str, int, int, int]], kept: list[int]) -> Callable[[Any], Any]:
    """Return the function `state -> (state, logs)` that the steps describe; it changes only what it made itself."""

    def fn(state: list[Any]) -> Any:
        known = list(state)
        for kind, which, i, j in steps:
            a, b = known[i % len(known)], known[j % len(known)]
            if kind == "unary":
                known.append(UNARY[which](a))
            elif kind == "binary":
                known.append(BINARY[which](a, b))
            else:
                own = a.clone(memory_format=torch.contiguous_format)
                IN_PLACE[which](own, b)
                known.append(own)
        results = [known[-1 - k % len(known)] for k in kept]
        return [x.clone() for x in results[:2]], {"sum": known[-1].sum(), "same": results[2]}

    return fn


@settings(max_examples=150, deadline=None)
@given(STEPS, st.lists(PLACES, min_size=3, max_size=3), st.booleans())
def test_repeating_is_running(steps: list[Any], kept: list[int], donate: bool) -> None:
    fn = interpreted(steps, kept)
    with use_backend("torch") as backend:
        compiled = backend.compile(fn, donate_first=donate)
        for seed in range(3):
            generator = torch.Generator().manual_seed(seed)
            state = [torch.randn(ROWS, COLUMNS, generator=generator) for _ in range(2)]
            (one, two), logs = fn([x.clone() for x in state])
            (other, another), recorded = compiled([x.clone() for x in state])
            for got, want in (
                (other, one),
                (another, two),
                (recorded["sum"], logs["sum"]),
                (recorded["same"], logs["same"]),
            ):
                assert torch.equal(got, want)
