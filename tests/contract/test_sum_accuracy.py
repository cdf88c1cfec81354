"""How exact sums of float32 are: the numpy backend adds in pairs along leading axes, where NumPy adds one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polykeras import ops
from polykeras.autodiff import grad
from polykeras.backend import use_backend

CASES = [((64, 28, 28, 32), (0, 1, 2)), ((50_001, 7), 0), ((301, 5, 401), (0, 2)), ((3, 40_000, 5), 1)]


def errors(shape: tuple[int, ...], axis: Any) -> tuple[float, float]:
    """Return the largest relative errors of `ops.sum` and of `np.sum` over an axis, against float64."""
    x = np.random.default_rng(0).uniform(0.5, 1.5, shape).astype("float32")
    exact = x.astype("float64").sum(axis)
    with use_backend("numpy"):
        ours = ops.sum(x, axis=axis)
    assert ours.dtype == "float32"
    return tuple(float(np.abs(s / exact - 1).max()) for s in (ours, x.sum(axis)))  # type: ignore[return-value]


@pytest.mark.parametrize(("shape", "axis"), CASES)
def test_sums_over_leading_axes_are_exact_to_the_last_digit(shape: tuple[int, ...], axis: Any) -> None:
    ours, _ = errors(shape, axis)
    assert ours <= 2e-7


def test_one_by_one_is_wrong_by_more() -> None:
    """Else the test above shows nothing."""
    ours, naive = errors(*CASES[0])
    assert naive > 5e-6
    assert naive > 20 * ours


def test_the_gradient_of_a_bias_is_such_a_sum() -> None:
    x = np.random.default_rng(1).uniform(0.5, 1.5, (20_000, 4)).astype("float32")
    with use_backend("numpy"):
        gradient = grad(lambda bias: ops.sum((bias + 0.0 * x) * x))(np.zeros(4, "float32"))
    exact = x.astype("float64").sum(0)
    assert np.abs(gradient / exact - 1).max() <= 2e-7
    assert np.abs(x.sum(0) / exact - 1).max() > 1e-6
