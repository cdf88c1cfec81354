"""Variables of Keras 2's backend: `K.variable`, `K.get_value`, `K.update` and the like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from polykeras import ops, random
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike, ConstraintLike, DTypeLike
from polykeras.config import floatx
from polykeras.seeds import SeedGenerator
from polykeras.variables import Variable


def variable(
    value: ArrayLike, dtype: DTypeLike = None, name: str | None = None, constraint: ConstraintLike = None
) -> Variable:
    """Return a variable with a value; its default dtype is the default float dtype.

    Args:
        value: numbers, nested lists or an array.
        dtype: the dtype of the variable; by default the default float dtype.
        name: the name of the variable.
        constraint: a function of the new value after each update.
    """
    made = Variable(ops.convert_to_numpy(value), dtype=dtype or floatx(), name=name)
    if constraint is not None:
        made.constraint = constraint
    return made


def zeros(shape: Sequence[int], dtype: DTypeLike = None, name: str | None = None) -> Variable:
    """Return a variable of zeros.

    Args:
        shape: the sizes of the axes.
        dtype: the dtype of the variable; by default the default float dtype.
        name: the name of the variable.
    """
    return variable(np.zeros(shape), dtype, name)


def ones(shape: Sequence[int], dtype: DTypeLike = None, name: str | None = None) -> Variable:
    """Return a variable of ones.

    Args:
        shape: the sizes of the axes.
        dtype: the dtype of the variable; by default the default float dtype.
        name: the name of the variable.
    """
    return variable(np.ones(shape), dtype, name)


def eye(size: int, dtype: DTypeLike = None, name: str | None = None) -> Variable:
    """Return a variable that holds an identity matrix.

    Args:
        size: the number of rows and columns.
        dtype: the dtype of the variable; by default the default float dtype.
        name: the name of the variable.
    """
    return variable(np.eye(size), dtype, name)


def random_normal_variable(
    shape: Sequence[int],
    mean: float,
    scale: float,
    dtype: DTypeLike = None,
    name: str | None = None,
    seed: int | SeedGenerator | None = None,
) -> Variable:
    """Return a variable of normally distributed numbers.

    Args:
        shape: the sizes of the axes.
        mean: the mean of the numbers.
        scale: the standard deviation of the numbers.
        dtype: the dtype of the variable; by default the default float dtype.
        name: the name of the variable.
        seed: an int or a `SeedGenerator`; None draws from the process-wide stream.
    """
    return variable(random.normal(shape, mean, scale, dtype, seed), dtype, name)


def random_uniform_variable(
    shape: Sequence[int],
    low: float,
    high: float,
    dtype: DTypeLike = None,
    name: str | None = None,
    seed: int | SeedGenerator | None = None,
) -> Variable:
    """Return a variable of uniformly distributed numbers.

    Args:
        shape: the sizes of the axes.
        low: the least number.
        high: the end of the range, exclusive.
        dtype: the dtype of the variable; by default the default float dtype.
        name: the name of the variable.
        seed: an int or a `SeedGenerator`; None draws from the process-wide stream.
    """
    return variable(random.uniform(shape, low, high, dtype, seed), dtype, name)


def get_value(x: ArrayLike) -> np.ndarray:
    """Return the value of a variable or an array as a NumPy array."""
    return ops.convert_to_numpy(x)


eval = get_value


def batch_get_value(tensors: Iterable[Any]) -> list[np.ndarray]:
    """Return the values of variables or arrays as NumPy arrays."""
    return [get_value(tensor) for tensor in tensors]


def set_value(x: Variable, value: ArrayLike) -> None:
    """Assign a value to a variable.

    Args:
        x: the variable.
        value: an array of the same shape.
    """
    x.assign(np.asarray(value))


def batch_set_value(tuples: Iterable[tuple[Variable, Any]]) -> None:
    """Assign values to variables."""
    for x, value in tuples:
        set_value(x, value)


def update(x: Variable, new_x: ArrayLike) -> Array:
    """Assign a value to a variable, and return the value.

    Args:
        x: the variable.
        new_x: an array of the same shape.
    """
    return x.assign(new_x)


def update_add(x: Variable, increment: ArrayLike) -> Array:
    """Add to a variable, and return its value.

    Args:
        x: the variable.
        increment: a number, or an array of the same shape.
    """
    return x.assign_add(increment)


def update_sub(x: Variable, decrement: ArrayLike) -> Array:
    """Subtract from a variable, and return its value.

    Args:
        x: the variable.
        decrement: a number, or an array of the same shape.
    """
    return x.assign_sub(decrement)


def moving_average_update(x: Variable, value: ArrayLike, momentum: float) -> Array:
    """Move a variable towards a value, `momentum * x + (1 - momentum) * value`, and return its new value.

    Args:
        x: the variable.
        value: an array of the same shape.
        momentum: the weight of the old value, in [0, 1].
    """
    return x.assign(x * momentum + ops.cast(value, x.dtype) * (1 - momentum))
