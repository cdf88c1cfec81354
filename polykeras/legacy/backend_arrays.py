"""Functions of arrays of Keras 2's backend, `K.sum` and the like, over `polykeras.ops`."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras import ops
from polykeras.backend import standardize_dtype
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike, DTypeLike
from polykeras.config import floatx
from polykeras.ops import (
    absolute,
    all,
    any,
    cast,
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
    ones_like,
    prod,
    reshape,
    round,
    shape,
    sign,
    sin,
    square,
    stack,
    std,
    sum,
    transpose,
    var,
    zeros_like,
)
from polykeras.variables import Variable

abs = absolute

__all__ = [
    "abs",
    "all",
    "any",
    "cast",
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
    "ones_like",
    "prod",
    "reshape",
    "round",
    "shape",
    "sign",
    "sin",
    "square",
    "stack",
    "std",
    "sum",
    "transpose",
    "var",
    "zeros_like",
]


def arange(start: ArrayLike, stop: ArrayLike | None = None, step: ArrayLike = 1, dtype: str = "int32") -> Array:
    """Return the numbers from `start`, or 0, up to `stop`; none if only a negative one is given.

    Args:
        start: the first number; the end, where `stop` is None.
        stop: the end, not included.
        step: the distance of neighbours.
        dtype: of the result.
    """
    if stop is None:
        start, stop = 0, builtins.max(start, 0)
    return ops.arange(start, stop, step, dtype=dtype)


def argmax(x: ArrayLike, axis: int = -1) -> Array:
    """Return where along an axis the largest number is.

    Args:
        x: an array, a variable or a symbolic tensor.
        axis: the axis.

    Returns:
        int32, without that axis.
    """
    return ops.argmax(x, axis)


def argmin(x: ArrayLike, axis: int = -1) -> Array:
    """Return where along an axis the smallest number is.

    Args:
        x: an array, a variable or a symbolic tensor.
        axis: the axis.

    Returns:
        int32, without that axis.
    """
    return ops.argmin(x, axis)


def batch_dot(x: ArrayLike, y: ArrayLike, axes: int | Sequence[int] | None = None) -> Array:
    """Return the products of the samples of two arrays.

    Args:
        x: `(batch, ...)`.
        y: `(batch, ...)`.
        axes: the axes of `x` and of `y` that are summed over; by default the last of `x` and the last but one of `y`,
            or its only one.

    Returns:
        `(batch, other axes of x, other axes of y)`, `(batch, 1)` where there are none.

    Raises:
        ValueError: `axes` name the axis of the batch.
    """
    ranks = ndim(x), ndim(y)
    if axes is None:
        axes = ranks[0] - 1, (ranks[1] - 1 if ranks[1] == 2 else ranks[1] - 2)
    pair = (axes, axes) if isinstance(axes, int) else tuple(axes)
    a, b = (axis % rank for axis, rank in zip(pair, ranks, strict=True))
    if not a or not b:
        raise ValueError(f"batch_dot: `axes` must not name the axis of the batch, 0; received {axes!r}.")
    letters = iter("cdefghijklmnopqrstuvwxyz")
    left = ["a", *("b" if axis == a else next(letters) for axis in range(1, ranks[0]))]
    right = ["a", *("b" if axis == b else next(letters) for axis in range(1, ranks[1]))]
    rest = [letter for letter in (*left[1:], *right[1:]) if letter != "b"]
    product = ops.einsum(f"{''.join(left)},{''.join(right)}->a{''.join(rest)}", x, y)
    return product if rest else ops.expand_dims(product, 1)


def batch_flatten(x: ArrayLike) -> Array:
    """Return each sample as a vector: `(batch, size)`."""
    return ops.reshape(x, (-1, math.prod(ops.shape(x)[1:])))


def cast_to_floatx(x: ArrayLike) -> Array:
    """Return an array in the default float dtype; a NumPy array of what is none of a framework."""
    return ops.cast(x, floatx()) if ops.is_tensor(x) or isinstance(x, Variable) else np.asarray(x, dtype=floatx())


def clip(x: ArrayLike, min_value: ArrayLike, max_value: ArrayLike) -> Array:
    """Return numbers within bounds, each of which may be None; an upper one below the lower one is moved to it.

    Args:
        x: an array, a variable or a symbolic tensor.
        min_value: the lower bound, or None.
        max_value: the upper bound, or None.
    """
    if isinstance(min_value, (int, float)) and isinstance(max_value, (int, float)):
        max_value = builtins.max(min_value, max_value)
    low = -np.inf if min_value is None else min_value
    return ops.clip(x, low, np.inf if max_value is None else max_value)


def concatenate(tensors: Sequence[Any], axis: int = -1) -> Array:
    """Return arrays joined along an axis.

    Args:
        tensors: arrays of one shape, except along `axis`.
        axis: the axis to join.
    """
    return ops.concatenate(tensors, axis)


def constant(
    value: ArrayLike, dtype: DTypeLike = None, shape: Sequence[int] | None = None, name: str | None = None
) -> Array:
    """Return an array of a value, of a number one of any shape, in the default float dtype if none is named.

    Args:
        value: a number, or nested lists of them.
        dtype: of the result.
        shape: to which the value is broadcast; None leaves its own.
        name: of no use; kept for Keras 2 code.
    """
    array = ops.convert_to_tensor(value, dtype or floatx())
    return array if shape is None else ops.broadcast_to(array, shape)


def count_params(x: ArrayLike) -> int:
    """Return how many numbers an array has."""
    return math.prod(x.shape)


def cumprod(x: ArrayLike, axis: int = 0) -> Array:
    """Return the products of the first numbers along an axis.

    Args:
        x: an array, a variable or a symbolic tensor.
        axis: the axis.
    """
    return ops.cumprod(x, axis)


def cumsum(x: ArrayLike, axis: int = 0) -> Array:
    """Return the sums of the first numbers along an axis.

    Args:
        x: an array, a variable or a symbolic tensor.
        axis: the axis.
    """
    return ops.cumsum(x, axis)


def dtype(x: ArrayLike) -> str:
    """Return the name of an array's dtype."""
    return standardize_dtype(x.dtype)


def expand_dims(x: ArrayLike, axis: int = -1) -> Array:
    """Return an array with one more axis, of size 1.

    Args:
        x: an array, a variable or a symbolic tensor.
        axis: the place of the new axis in the result.
    """
    return ops.expand_dims(x, axis)


def flatten(x: ArrayLike) -> Array:
    """Return an array as a vector."""
    return ops.reshape(x, (-1,))


def gather(reference: ArrayLike, indices: ArrayLike) -> Array:
    """Return the rows of these indices.

    Args:
        reference: rows along the first axis.
        indices: integers of any shape.
    """
    return ops.take(reference, indices, axis=0)


def int_shape(x: ArrayLike) -> tuple[int | None, ...]:
    """Return an array's shape, None for unknown sizes."""
    return tuple(x.shape)


def is_sparse(tensor: Any) -> bool:
    """Return whether this is TensorFlow's `SparseTensor`; the backends have no sparse arrays."""
    return type(tensor).__name__ == "SparseTensor"


def l2_normalize(x: ArrayLike, axis: int | None = None) -> Array:
    """Return vectors along an axis, or all numbers, scaled to length 1.

    Args:
        x: an array, a variable or a symbolic tensor.
        axis: the axis of the vectors.
    """
    squares = ops.sum(ops.square(x), axis, keepdims=True)
    return ops.multiply(x, ops.rsqrt(ops.maximum(squares, 1e-12)))


def ndim(x: ArrayLike) -> int:
    """Return how many axes an array has, a sparse one too."""
    return len(x.shape if is_sparse(x) else ops.shape(x))


def one_hot(indices: ArrayLike, num_classes: int) -> Array:
    """Return class numbers as one-hot vectors on a new last axis.

    Args:
        indices: integers of any shape.
        num_classes: the size of the last axis.
    """
    return ops.one_hot(indices, num_classes)


def permute_dimensions(x: ArrayLike, pattern: Sequence[int]) -> Array:
    """Return an array with its axes in another order.

    Args:
        x: an array, a variable or a symbolic tensor.
        pattern: for each axis of the result, which one of `x` it is.
    """
    return ops.transpose(x, pattern)


def pow(x: ArrayLike, a: ArrayLike) -> Array:
    """Return numbers to the power `a`.

    Args:
        x: an array, a variable or a symbolic tensor.
        a: an int.
    """
    return ops.power(x, a)


def repeat(x: ArrayLike, n: int) -> Array:
    """Return each vector of `(batch, size)` `n` times: `(batch, n, size)`.

    Args:
        x: shape `(batch, size)`.
        n: how often.

    Raises:
        ValueError: `x` has not 2 axes.
    """
    if ndim(x) != 2:
        raise ValueError(f"repeat: expected an array with 2 axes; received one of shape {tuple(x.shape)}.")
    return ops.repeat(ops.expand_dims(x, 1), n, axis=1)


def repeat_elements(x: ArrayLike, rep: int, axis: int) -> Array:
    """Return each slice along an axis `rep` times.

    Args:
        x: an array, a variable or a symbolic tensor.
        rep: how often.
        axis: the axis.
    """
    return ops.repeat(x, rep, axis=axis)


def reverse(x: ArrayLike, axes: int | Sequence[int]) -> Array:
    """Return an array turned round along axes.

    Args:
        x: an array, a variable or a symbolic tensor.
        axes: one axis, or several.
    """
    return ops.flip(x, axes)


def sqrt(x: ArrayLike) -> Array:
    """Return the square root; 0 of a negative number."""
    return ops.sqrt(ops.maximum(x, 0))


def squeeze(x: ArrayLike, axis: int) -> Array:
    """Return an array without an axis of size 1.

    Args:
        x: an array, a variable or a symbolic tensor.
        axis: an axis of size 1.
    """
    return ops.squeeze(x, axis)


def stop_gradient(variables: Any) -> Any:
    """Return an array, or a list of them, through which no gradient flows."""
    if isinstance(variables, (list, tuple)):
        return [ops.stop_gradient(variable) for variable in variables]
    return ops.stop_gradient(variables)


def tile(x: ArrayLike, n: int | Sequence[int]) -> Array:
    """Return an array `n` times along each axis.

    Args:
        x: an array, a variable or a symbolic tensor.
        n: an int repeats the last axis.
    """
    return ops.tile(x, (n,) if isinstance(n, int) else n)


def to_dense(tensor: Any) -> Array:
    """Return an array as it is: there are no sparse ones."""
    return tensor


def identity(x: ArrayLike, name: str | None = None) -> Array:
    """Return an array as it is.

    Args:
        x: anything.
        name: of no use; kept for Keras 2 code.
    """
    return x
