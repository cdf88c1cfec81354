"""Axes and sizes: checks that run before a backend sees them."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import numpy as np

from polykeras import config
from polykeras.backend.handles import Handle


def is_below(size: float, bound: float) -> bool:
    """Return whether a size is known to be below a bound. An unknown size is assumed to fit."""
    return (type(size) is int or isinstance(size, np.integer)) and size < bound


def canonical_axis(axis: int, ndim: int) -> int:
    """Return `axis` counted from the front.

    Raises:
        TypeError: if it is not an integer.
        ValueError: if it lies outside `[-ndim, ndim)`.
    """
    axis = operator.index(axis)
    if not -ndim <= axis < ndim:
        raise ValueError(f"Axis {axis} is out of range for an array of {ndim} axes.")
    return axis % ndim if ndim else 0


class Range(NamedTuple):
    """What `arange` counts by.

    Attributes:
        start: the first number.
        stop: the end, not included.
        step: the distance.
        whole: whether all three are ints.
        dtype: of the result.
    """

    start: Any
    stop: Any
    step: Any
    whole: bool
    dtype: str


def range_of(start: Any, stop: Any, step: Any, dtype: str | None) -> Range:
    """Return what the arguments of `arange` mean. Each number may be an array that holds it.

    Args:
        start: the first number, or the end where `stop` is None.
        stop: the end, not included.
        step: the distance; None for 1.
        dtype: None asks for int32 where all are ints, else the default float dtype.
    """
    first, end = (0, start) if stop is None else (start, stop)
    first, end, by = map(_as_int, (first, end, 1 if step is None else step))
    whole = all(isinstance(number, (int, np.integer)) for number in (first, end, by))
    return Range(first, end, by, whole, dtype or ("int32" if whole else config.floatx()))


def _as_int(number: Any) -> Any:
    """Return the int that an array holds, if its value is known, and anything else as it is."""
    if isinstance(number, (int, float, np.number)):
        return number
    value = number.value if isinstance(number, Handle) else number
    try:
        return operator.index(value)
    except (TypeError, AttributeError):  # TensorFlow asks NumPy's floats for `__index__`
        return value
