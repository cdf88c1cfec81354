"""The parity helper raises on every kind of difference: a comparison that cannot fail asserts nothing."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from helpers import assert_parity, relative_error
from helpers.parity import largest

F = np.float32
NAN, INF = np.nan, np.inf

DIFFERENT = {
    "value": (F([1.0, 2.0]), F([1.0, 2.001]), "value differs at 1 of 2 places, first at \\(1,\\)"),
    "small value": (F([1e-20]), F([2e-20]), "value differs"),
    "sign": (F([-1.0]), F([1.0]), "value differs"),
    "last digits of 0-d": (F(1.0), F(1.0001), "value differs"),
    "int": (np.int32([1, 2]), np.int32([1, 3]), "value differs"),
    "bool": (np.array([True]), np.array([False]), "value differs"),
    "uint wrap": (np.uint8([255]), np.uint8([0]), "value differs"),
    "imaginary part": (np.complex64([1 + 1j]), np.complex64([1 + 2j]), "imaginary part"),
    "bfloat16": (np.ones(2, ml_dtypes.bfloat16), np.zeros(2, ml_dtypes.bfloat16), "value differs"),
    "dtype": (F([1.0]), np.float64([1.0]), "dtype float32, expected float64"),
    "int dtype": (np.int32([1]), np.int64([1]), "dtype int32, expected int64"),
    "shape": (F([1.0]), F([[1.0]]), r"shape \(1,\), expected \(1, 1\)"),
    "0-d and 1-d": (F(1.0), F([1.0]), "shape"),
    "empty shapes": (np.zeros((0, 3), F), np.zeros((3, 0), F), "shape"),
    "nan is not a number": (F([NAN]), F([1.0]), "nan pattern"),
    "number is not nan": (F([1.0]), F([NAN]), "nan pattern"),
    "nan is not inf": (F([NAN]), F([INF]), "nan pattern"),
    "inf is not large": (F([INF]), F([3e38]), "infinity pattern"),
    "large is not inf": (F([3e38]), F([INF]), "infinity pattern"),
    "inf has a sign": (F([INF]), F([-INF]), "infinity pattern"),
}


@pytest.mark.parametrize(("actual", "expected", "message"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_raises_on_a_difference(actual: np.ndarray, expected: np.ndarray, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        assert_parity(actual, expected)


@pytest.mark.parametrize(
    "x",
    [F([1.0, NAN, INF, -INF, 0.0]), F(2.0), np.zeros((0, 2), F), np.int32([7]), np.array([True]), np.complex64([1j])],
    ids=str,
)
def test_equal_arrays_pass(x: np.ndarray) -> None:
    assert_parity(x.copy(), x)
    assert relative_error(x.copy(), x) == 0.0


def test_tolerances_are_applied_as_stated() -> None:
    assert_parity(F([1.05]), F([1.0]), rtol=0.1)
    assert_parity(F([0.05]), F([0.0]), atol=0.1)
    with pytest.raises(AssertionError):
        assert_parity(F([1.2]), F([1.0]), rtol=0.1)
    with pytest.raises(AssertionError):
        assert_parity(F([0.2]), F([0.0]), atol=0.1)


def test_infinite_expectation_does_not_excuse_other_elements() -> None:
    with pytest.raises(AssertionError, match="value differs at 1 of 2"):
        assert_parity(F([INF, 1.0]), F([INF, 2.0]))


def test_the_message_names_what_was_compared() -> None:
    with pytest.raises(AssertionError, match="gradient of exp on jax"):
        assert_parity(F([1.0]), F([2.0]), what="gradient of exp on jax")


@pytest.mark.parametrize(
    ("actual", "expected", "error"),
    [
        (F([1.1]), F([1.0]), 0.1),
        (F([NAN]), F([1.0]), INF),
        (F([INF]), F([-INF]), INF),
        (F([1.0]), F([INF]), INF),
        (np.int32([1]), np.int32([2]), INF),
        (np.complex64([1 + 1.1j]), np.complex64([1 + 1j]), 0.1),
    ],
)
def test_relative_error(actual: np.ndarray, expected: np.ndarray, error: float) -> None:
    assert relative_error(actual, expected) == pytest.approx(error, rel=1e-5)


def test_relative_error_of_sums_that_cancel() -> None:
    actual, expected = F([0.01, 10.0, INF]), F([0.0, 10.0, INF])
    assert largest([expected, np.int32([99]), F([])]) == 10.0
    assert relative_error(actual, expected, largest([expected])) == pytest.approx(1e-3)
    assert relative_error(actual, expected) > 1e30


def test_numbers_below_the_normal_ones_are_equal() -> None:
    assert relative_error(F([0.0]), F([1e-39])) == 0.0
    assert relative_error(F([0.0]), F([1e-37])) == pytest.approx(1.0)
