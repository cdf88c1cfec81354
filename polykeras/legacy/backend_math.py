"""Arithmetic, comparisons and sums of Keras 2's backend, `K.sum` and the like, over `polykeras.ops`."""

from __future__ import annotations

import builtins
from collections.abc import Sequence

import numpy as np

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike
from polykeras.legacy.backend_arrays import ndim
from polykeras.ops import (
    absolute,
    all,
    any,
    cos,
    dot,
    equal,
    exp,
    greater,
    greater_equal,
    less,
    less_equal,
    log,
    logsumexp,
    max,
    maximum,
    mean,
    min,
    minimum,
    not_equal,
    prod,
    round,
    sign,
    sin,
    square,
    std,
    sum,
    var,
)

abs = absolute

__all__ = [
    "abs",
    "all",
    "any",
    "cos",
    "dot",
    "equal",
    "exp",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "log",
    "logsumexp",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "not_equal",
    "prod",
    "round",
    "sign",
    "sin",
    "square",
    "std",
    "sum",
    "var",
]


def argmax(x: ArrayLike, axis: int = -1) -> Array:
    """Return the index of the largest number along an axis.

    Args:
        x: an array, a variable or a symbolic tensor.
        axis: the axis.

    Returns:
        int32, without that axis.
    """
    return ops.argmax(x, axis)


def argmin(x: ArrayLike, axis: int = -1) -> Array:
    """Return the index of the smallest number along an axis.

    Args:
        x: an array, a variable or a symbolic tensor.
        axis: the axis.

    Returns:
        int32, without that axis.
    """
    return ops.argmin(x, axis)


def batch_dot(x: ArrayLike, y: ArrayLike, axes: int | Sequence[int] | None = None) -> Array:
    """Return the products of the samples of two arrays (a batched dot product).

    Args:
        x: `(batch, ...)`.
        y: `(batch, ...)`.
        axes: the axes of `x` and of `y` to sum over; by default the last one of `x`, and the last but one (or the only
            one) of `y`.

    Returns:
        `(batch, other axes of x, other axes of y)`, or `(batch, 1)` if there are no others.

    Raises:
        ValueError: if `axes` contains the batch axis.
    """
    ranks = ndim(x), ndim(y)
    if axes is None:
        axes = ranks[0] - 1, (ranks[1] - 1 if ranks[1] == 2 else ranks[1] - 2)
    pair = (axes, axes) if isinstance(axes, int) else tuple(axes)
    a, b = (axis % rank for axis, rank in zip(pair, ranks, strict=True))
    if not a or not b:
        raise ValueError(f"batch_dot: `axes` must not contain the batch axis, 0; received {axes!r}.")
    letters = iter("cdefghijklmnopqrstuvwxyz")
    left = ["a", *("b" if axis == a else next(letters) for axis in range(1, ranks[0]))]
    right = ["a", *("b" if axis == b else next(letters) for axis in range(1, ranks[1]))]
    rest = [letter for letter in (*left[1:], *right[1:]) if letter != "b"]
    product = ops.einsum(f"{''.join(left)},{''.join(right)}->a{''.join(rest)}", x, y)
    return product if rest else ops.expand_dims(product, 1)


def clip(x: ArrayLike, min_value: ArrayLike, max_value: ArrayLike) -> Array:
    """Return numbers clipped to bounds, each of which may be None. An upper bound below the lower one is raised to it.

    Args:
        x: an array, a variable or a symbolic tensor.
        min_value: the lower bound, or None.
        max_value: the upper bound, or None.
    """
    if isinstance(min_value, (int, float)) and isinstance(max_value, (int, float)):
        max_value = builtins.max(min_value, max_value)
    low = -np.inf if min_value is None else min_value
    return ops.clip(x, low, np.inf if max_value is None else max_value)


def cumprod(x: ArrayLike, axis: int = 0) -> Array:
    """Return the cumulative products along an axis.

    Args:
        x: an array, a variable or a symbolic tensor.
        axis: the axis.
    """
    return ops.cumprod(x, axis)


def cumsum(x: ArrayLike, axis: int = 0) -> Array:
    """Return the cumulative sums along an axis.

    Args:
        x: an array, a variable or a symbolic tensor.
        axis: the axis.
    """
    return ops.cumsum(x, axis)


def l2_normalize(x: ArrayLike, axis: int | None = None) -> Array:
    """Return vectors along an axis, or all numbers, scaled to length 1.

    Args:
        x: an array, a variable or a symbolic tensor.
        axis: the axis of the vectors.
    """
    squares = ops.sum(ops.square(x), axis, keepdims=True)
    return ops.multiply(x, ops.rsqrt(ops.maximum(squares, 1e-12)))


def pow(x: ArrayLike, a: ArrayLike) -> Array:
    """Return numbers to the power `a`.

    Args:
        x: an array, a variable or a symbolic tensor.
        a: an int.
    """
    return ops.power(x, a)


def sqrt(x: ArrayLike) -> Array:
    """Return the square root; 0 for a negative number."""
    return ops.sqrt(ops.maximum(x, 0))
