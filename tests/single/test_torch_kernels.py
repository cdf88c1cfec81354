"""torch's kernels in place of rules of optimizers and losses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import polykeras as k
from polykeras.backend import use_backend
from polykeras.backend.families.losses import Losses

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.needs("torch"), pytest.mark.cpu_only("kernels, threads and memory of the CPU")]


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
    received = tb.map_elementwise(rule, lists, scalars, optimizer.fused_kernel())
    tolerance = 1e-6 if dtype == "float32" else 1e-14  # a rounding or two
    torch.testing.assert_close(received, expected, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(lists, before, rtol=0, atol=0)  # the old values are left alone


def test_no_kernel_is_named_for_other_rules() -> None:
    class Own(k.optimizers.SGD):
        def rule(self, gradient: Any, parameter: Any, slots: Any, scalars: Any) -> Any:
            return (parameter - gradient,)

    assert k.optimizers.SGD(0.1).fused_kernel() is not None
    assert k.optimizers.SGD(0.1, momentum=0.9).fused_kernel() is None
    assert Own(0.1).fused_kernel() is None


def test_a_chunk_keeps_subnormal_numbers(tb: Any) -> None:
    run = tb.compile_steps(lambda state, batch: ([state[0] * 0.1 + batch.sum() * 0.0], {}))
    data, indices = torch.zeros(4), torch.zeros((3, 1), dtype=torch.int32)
    for steps in (1, 2):  # recorded, and repeated
        (value,), _ = run([torch.full((2,), 2e-38)], data, indices, 0, steps)
        assert (value > 0).all()


def composite(tb: Any, *args: Any) -> Any:
    return Losses.binary_crossentropy(tb, *args)


def test_binary_crossentropy_and_its_gradients_are_those_of_the_composite(tb: Any) -> None:
    rng = np.random.default_rng(0)
    for dtype, tolerance in ((torch.float32, 1e-6), (torch.float64, 1e-14)):
        ends = [0.0, 1.0, 1e-7, 1 - 1e-7, float("nan"), -1.0, 2.0]
        p = torch.tensor([*rng.uniform(size=20), *ends], dtype=dtype)
        t = torch.tensor([*rng.uniform(size=10), *([0.0, 1.0] * 8), 0.5], dtype=dtype)
        values, slopes, curvatures = [], [], []
        for entropy in (tb.binary_crossentropy, lambda t, p: composite(tb, t, p)):
            leaf = p.clone().requires_grad_()
            value = entropy(t, leaf)
            (slope,) = torch.autograd.grad(value.sum(), leaf, create_graph=True)
            values.append(value.detach())
            slopes.append(torch.autograd.grad(entropy(t, leaf).sum(), leaf)[0])
            curvatures.append(torch.autograd.grad(slope.sum(), leaf)[0])
        for found in (values, slopes, curvatures):  # relative to 1e7 at the ends
            torch.testing.assert_close(*found, rtol=tolerance, atol=tolerance, equal_nan=True)


def test_binary_crossentropy_of_labels_that_are_differentiated(tb: Any) -> None:
    t, p = torch.tensor([0.2, 0.9], requires_grad=True), torch.tensor([0.5, 0.6])
    (slope,) = torch.autograd.grad(tb.binary_crossentropy(t, p).sum(), t)
    torch.testing.assert_close(slope, torch.log(1 - p) - torch.log(p))


@pytest.mark.parametrize("columns", [3, 4000])  # added in order, and by threads
def test_gradients_of_lookups_add_up(tb: Any, columns: int) -> None:
    table = torch.zeros(5, columns, requires_grad=True)
    rows = torch.tensor([[4, -5, 0], [2, 4, 4]])
    weights = torch.arange(6.0).reshape(2, 3, 1)
    (slope,) = torch.autograd.grad((tb.take(table, rows, 0) * weights).sum(), table)
    expected = torch.tensor([1.0 + 2.0, 0.0, 3.0, 0.0, 0.0 + 4.0 + 5.0])
    assert torch.equal(slope, expected[:, None].expand(5, columns))


def test_a_lookup_out_of_range_says_so_where_gradients_are_wanted(tb: Any) -> None:
    with pytest.raises(IndexError, match="out of"):
        tb.take(torch.zeros(5, 3, requires_grad=True), torch.tensor([5]), 0)
