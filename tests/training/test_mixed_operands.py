"""Arrays and variables of different dtypes meet in Python's operators, on either side, eagerly and compiled."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import ops
from polykeras.backend import Backend
from polykeras.variables import Variable

ARITHMETIC = (operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow)
COMPARISONS = (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne)
LEFT = np.array([1.5, 2.0, 4.0], "float32")


@pytest.mark.parametrize("function", ARITHMETIC + COMPARISONS)
@pytest.mark.parametrize("other", [np.array([3, 2, 1], "int32"), np.float16(2.0), np.array([True, True, True])])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_float_array_and_a_variable_of_another_dtype(
    backend: Backend, function: Callable[..., Any], other: Any, compiled: bool
) -> None:
    variable = Variable(other, trainable=False)

    def of_array(array: Any, first: bool) -> Any:
        return function(array, variable) if first else function(variable, array)

    run = polykeras.function(of_array) if compiled else of_array
    wide = other.astype("float32")
    for first, expected in ((True, function(LEFT, wide)), (False, function(wide, LEFT))):
        result = run(ops.convert_to_tensor(LEFT), first)
        assert backend.dtype(result) == expected.dtype.name
        np.testing.assert_allclose(backend.to_numpy(result), expected, rtol=1e-6)


def test_integers_divide_to_the_default_float(backend: Backend) -> None:
    array, variable = ops.convert_to_tensor(np.array([3, 4], "int32")), Variable(np.array([2, 3], "int32"))
    for result, expected in ((array / variable, [1.5, 4 / 3]), (variable / array, [2 / 3, 0.75])):
        assert backend.dtype(result) == "float32"
        np.testing.assert_allclose(backend.to_numpy(result), expected, rtol=1e-6)


def test_a_product_with_integers_has_its_gradient(backend: Backend) -> None:
    steps = Variable(np.array([1, 2, 3], "int32"), trainable=False)
    gradient = polykeras.grad(lambda x: ops.sum(x * steps + steps * x))(LEFT)
    np.testing.assert_array_equal(backend.to_numpy(gradient), [2.0, 4.0, 6.0])
