"""torch's kernels in place of rules of optimizers, and how a chunk of steps computes with subnormal numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import polykeras as k
from polykeras import fast
from polykeras.backend import use_backend

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.needs("torch")


@pytest.fixture
def tb() -> Iterator[Any]:
    with use_backend("torch") as backend:
        yield backend


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_a_kernel_gives_what_the_rule_gives(tb: Any, name: str, dtype: str) -> None:
    optimizer = getattr(k.optimizers, name)(0.1)
    rng = np.random.default_rng(0)
    slots = sum(map(len, optimizer.slots()))
    lists = [[torch.tensor(np.abs(rng.normal(size=s)), dtype=getattr(torch, dtype)) for s in ((3, 4), (), (5,))]
             for _ in range(2 + slots)]  # fmt: skip
    before = [[x.clone() for x in column] for column in lists]
    scalars = [torch.tensor(0.1, dtype=getattr(torch, dtype))]

    def rule(gradient: Any, parameter: Any, *rest: Any) -> Any:
        return optimizer.rule(gradient, parameter, rest[:slots], rest[slots:])

    expected = tb.map_elementwise(rule, lists, scalars)
    received = tb.map_elementwise(rule, lists, scalars, optimizer.known_rule())
    tolerance = 1e-6 if dtype == "float32" else 1e-14  # a rounding or two
    torch.testing.assert_close(received, expected, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(lists, before, rtol=0, atol=0)  # the old values are left alone


def test_no_kernel_is_named_for_other_rules() -> None:
    class Own(k.optimizers.SGD):
        def rule(self, gradient: Any, parameter: Any, slots: Any, scalars: Any) -> Any:
            return (parameter - gradient,)

    assert k.optimizers.SGD(0.1).known_rule() is not None
    assert k.optimizers.SGD(0.1, momentum=0.9).known_rule() is None
    assert Own(0.1).known_rule() is None


@pytest.mark.skipif(not fast.enabled(), reason="a fast path")
def test_a_chunk_takes_subnormal_numbers_for_zero_and_nothing_after_it_does(tb: Any) -> None:
    run = tb.compile_steps(lambda state, batch: ([state[0] * 0.1 + batch.sum() * 0.0], {}))
    data, indices = torch.zeros(4), torch.zeros((3, 1), dtype=torch.int32)
    for steps in (1, 2):  # recorded, and repeated
        (value,), _ = run([torch.full((2,), 2e-38)], data, indices, 0, steps)
        assert value.tolist() == [0.0, 0.0]
        assert (torch.full((2,), 2e-38) * 0.1 > 0).all()


def test_an_error_in_a_chunk_leaves_the_processor_as_it_was(tb: Any) -> None:
    def fails(state: Any, batch: Any) -> Any:
        raise KeyError("the user's own")

    with pytest.raises(KeyError):
        tb.compile_steps(fails)([torch.zeros(2)], torch.zeros(4), torch.zeros((1, 1), dtype=torch.int32), 0, 1)
    assert (torch.full((2,), 2e-38) * 0.1 > 0).all()
