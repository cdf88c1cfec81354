"""Axes and sizes: checks that run before a backend sees them."""

from __future__ import annotations

import operator

import numpy as np


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
