"""Shapes, dtypes and indexing of arrays in Keras 2's backend, `K.reshape` and the like, over `polykeras.ops`."""

from __future__ import annotations

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
    cast,
    ones_like,
    reshape,
    shape,
    stack,
    transpose,
    zeros_like,
)
from polykeras.variables import Variable

__all__ = [
    "cast",
    "ones_like",
    "reshape",
    "shape",
    "stack",
    "transpose",
    "zeros_like",
]


def arange(start: ArrayLike, stop: ArrayLike | None = None, step: ArrayLike = 1, dtype: str = "int32") -> Array:
    """Return the numbers from `start` (or 0) up to `stop`; empty if only a negative end is given.

    Args:
        start: the first number; the end if `stop` is None.
        stop: the end, exclusive.
        step: the distance between neighbours.
        dtype: the dtype of the result.
    """
    if stop is None:
        start, stop = 0, max(start, 0)
    return ops.arange(start, stop, step, dtype=dtype)


def batch_flatten(x: ArrayLike) -> Array:
    """Return each sample as a vector: `(batch, size)`."""
    return ops.reshape(x, (-1, math.prod(ops.shape(x)[1:])))


def cast_to_floatx(x: ArrayLike) -> Array:
    """Return an array in the default float dtype. An object of no framework becomes a NumPy array."""
    return ops.cast(x, floatx()) if ops.is_tensor(x) or isinstance(x, Variable) else np.asarray(x, dtype=floatx())


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
    """Return an array of a value. A number may be broadcast to any shape; the default dtype is the default float dtype.

    Args:
        value: a number, or nested lists of them.
        dtype: the dtype of the result.
        shape: the shape to which the value is broadcast; None keeps its own.
        name: accepted as in Keras 2, without effect.
    """
    array = ops.convert_to_tensor(value, dtype or floatx())
    return array if shape is None else ops.broadcast_to(array, shape)


def count_params(x: ArrayLike) -> int:
    """Return the number of elements of an array."""
    return math.prod(x.shape)


def dtype(x: ArrayLike) -> str:
    """Return the name of an array's dtype."""
    return standardize_dtype(x.dtype)


def expand_dims(x: ArrayLike, axis: int = -1) -> Array:
    """Return an array with one more axis, of size 1.

    Args:
        x: an array, a variable or a symbolic tensor.
        axis: the position of the new axis in the result.
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
    """Return an array's shape, with None for unknown sizes."""
    return tuple(x.shape)


def is_sparse(tensor: Any) -> bool:
    """Return whether an object is TensorFlow's `SparseTensor`; the backends have no sparse arrays."""
    return type(tensor).__name__ == "SparseTensor"


def ndim(x: ArrayLike) -> int:
    """Return the number of axes of an array, which may be sparse."""
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
        pattern: the axis of `x` for each axis of the result.
    """
    return ops.transpose(x, pattern)


def repeat(x: ArrayLike, n: int) -> Array:
    """Return each vector of `(batch, size)` repeated `n` times: `(batch, n, size)`.

    Args:
        x: shape `(batch, size)`.
        n: the number of repetitions.

    Raises:
        ValueError: if `x` does not have 2 axes.
    """
    if ndim(x) != 2:
        raise ValueError(f"repeat: expected an array with 2 axes; received one of shape {tuple(x.shape)}.")
    return ops.repeat(ops.expand_dims(x, 1), n, axis=1)


def repeat_elements(x: ArrayLike, rep: int, axis: int) -> Array:
    """Return an array with each slice along an axis repeated `rep` times.

    Args:
        x: an array, a variable or a symbolic tensor.
        rep: the number of repetitions.
        axis: the axis.
    """
    return ops.repeat(x, rep, axis=axis)


def reverse(x: ArrayLike, axes: int | Sequence[int]) -> Array:
    """Return an array with the order reversed along axes.

    Args:
        x: an array, a variable or a symbolic tensor.
        axes: one axis, or several.
    """
    return ops.flip(x, axes)


def squeeze(x: ArrayLike, axis: int) -> Array:
    """Return an array without an axis of size 1.

    Args:
        x: an array, a variable or a symbolic tensor.
        axis: an axis of size 1.
    """
    return ops.squeeze(x, axis)


def stop_gradient(variables: Any) -> Any:
    """Return an array, or a list of arrays, through which no gradient flows."""
    if isinstance(variables, (list, tuple)):
        return [ops.stop_gradient(variable) for variable in variables]
    return ops.stop_gradient(variables)


def tile(x: ArrayLike, n: int | Sequence[int]) -> Array:
    """Return an array repeated `n` times along each axis.

    Args:
        x: an array, a variable or a symbolic tensor.
        n: an int repeats the last axis.
    """
    return ops.tile(x, (n,) if isinstance(n, int) else n)


def to_dense(tensor: Any) -> Array:
    """Return an array unchanged, since there are no sparse arrays."""
    return tensor


def identity(x: ArrayLike, name: str | None = None) -> Array:
    """Return an array unchanged.

    Args:
        x: anything.
        name: accepted as in Keras 2, without effect.
    """
    return x
