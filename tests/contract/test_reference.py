"""The numpy backend, which is the reference of all others, against NumPy, SciPy and finite differences in float64."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from contract.cases import CASES
from contract.references import EXEMPT, REFERENCES
from contract.table import Case
from helpers import assert_parity
from helpers.reference import REFERENCE
from helpers.runner import float_arrays, gradients, objective, running, values, weights
from polykeras.backend import Backend, registry
from polykeras.common import nested


def numpy_backend() -> Backend:
    return registry.load(REFERENCE)


def _through(case: Case, result: Any) -> Any:
    if case.through is None:
        return result
    backend = numpy_backend()
    with running(backend, 64):
        several = isinstance(result, (list, tuple))
        return case.through(backend, [np.asarray(part) for part in result] if several else result)


@pytest.mark.parametrize("case", [c for c in CASES if c.op in REFERENCES], ids=lambda c: c.id)
def test_values_are_those_of_numpy_and_scipy(case: Case) -> None:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's own, of empty means and the like
        expected = nested.flatten(_through(case, REFERENCES[case.op](*case.args, **case.kwargs)))
    got = values(case, numpy_backend(), 64)
    assert len(got) == len(expected)
    for actual, want in zip(got, expected, strict=True):
        want = np.asarray(want).astype(actual.dtype)  # dtypes are held to polykeras.dtypes in test_promotion.py
        wide = actual.dtype in (np.float64, np.complex128)  # all but those whose case asks for another dtype
        rtol, atol = (1e-12, 1e-13) if wide else (case.rtol, case.atol)
        assert_parity(actual, want, rtol, atol, what=case.id)


def test_every_op_with_a_case_has_a_reference() -> None:
    missing = sorted({c.op for c in CASES} - set(REFERENCES) - set(EXEMPT))
    assert missing == [], "ops without a line in contract/references.py (or a reason in EXEMPT)"
    assert sorted((set(REFERENCES) | set(EXEMPT)) - set(dir(Backend))) == [], "references of ops that are gone"
    assert not set(REFERENCES) & set(EXEMPT)


STEP = 1e-6


def slopes(function: Callable[[list[np.ndarray]], float], arrays: list[np.ndarray]) -> list[list[tuple[float, float]]]:
    """Return the difference quotients to the left and to the right of each element of each array."""
    here = function(arrays)
    found = []
    for i, array in enumerate(arrays):
        pairs = []
        for place in np.ndindex(array.shape):
            step = STEP * max(1.0, abs(array[place]))
            sides = []
            for signed in (-step, step):
                moved = array.copy()
                moved[place] += signed
                there = function([*arrays[:i], moved, *arrays[i + 1 :]])
                sides.append((there - here) / signed)
            pairs.append((sides[0], sides[1]))
        found.append(pairs)
    return found


def within(gradient: float, left: float, right: float, scale: float) -> bool:
    """Return whether a gradient is the slope where the function is smooth, and lies between the two at a kink."""
    if not (np.isfinite(left) and np.isfinite(right)):
        return True  # at the edge of the domain; `contract/points.py` says what holds there
    middle, bend = (left + right) / 2, abs(left - right)
    slack = 1e-4 * scale
    if bend <= 1e-3 * scale:
        return abs(gradient - middle) <= slack
    return min(left, right) - slack <= gradient <= max(left, right) + slack


@pytest.mark.parametrize("case", [c for c in CASES if c.grad and c.fd], ids=lambda c: c.id)
def test_gradients_are_the_slopes(case: Case) -> None:
    backend = numpy_backend()
    arrays = float_arrays(case)
    computed = gradients(case, backend, 64)
    with running(backend, 64):
        total = objective(case, backend, 64)
        found = slopes(lambda values: float(backend.to_numpy(total(values)[0])), arrays)
        size = abs(float(backend.to_numpy(total(arrays)[0])))
    for index, (gradient, pairs) in enumerate(zip(computed, found, strict=True)):
        for place, (left, right) in zip(np.ndindex(gradient.shape), pairs, strict=True):
            scale = max(1.0, abs(gradient[place]), 1e-6 * size / STEP)
            assert within(gradient[place], left, right, scale), (
                f"{case.id}: gradient {index} at {place} is {gradient[place]}; slopes {left} and {right}"
            )


@pytest.mark.parametrize("case", [c for c in CASES if c.second], ids=lambda c: c.id)
def test_second_gradients_are_the_slopes_of_the_first(case: Case) -> None:
    backend = numpy_backend()
    arrays = float_arrays(case)
    computed = gradients(case, backend, 64, order=2)

    def first(moved: list[np.ndarray]) -> float:
        with running(backend, 64):
            _, _, grads = backend.value_and_grad(objective(case, backend, 64), moved)
        return float(sum((weights(case.id, 50 + i, g.shape) * g).sum() for i, g in enumerate(grads)))

    for gradient, pairs in zip(computed, slopes(first, arrays), strict=True):
        for place, (left, right) in zip(np.ndindex(gradient.shape), pairs, strict=True):
            assert within(gradient[place], left, right, max(1.0, abs(gradient[place])))


def test_a_wrong_gradient_would_be_seen() -> None:
    assert within(2.0, 2.0, 2.0 + 1e-7, 2.0)
    assert not within(2.01, 2.0, 2.0, 2.0)
    assert within(0.5, 0.0, 1.0, 1.0)
    assert not within(1.1, 0.0, 1.0, 1.0)
    assert not within(float("nan"), 1.0, 1.0, 1.0)
