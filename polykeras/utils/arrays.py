"""Helpers for data: one-hot vectors, vectors of length 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import ops
from polykeras.backend import registry
from polykeras.common.types import ArrayLike


def to_categorical(x: ArrayLike, num_classes: int | None = None) -> Any:
    """Return class numbers as one-hot vectors.

    Args:
        x: integers `(...)`, or `(..., 1)`.
        num_classes: the number of classes; by default the largest number plus 1.

    Returns:
        Zeros and ones, `(..., num_classes)`: a NumPy array of float64, as in Keras. For an array of the backend it is
        one too, of the default float dtype.

    Raises:
        ValueError: if a number is negative or not below `num_classes`, or `x` holds no numbers.

    Example:
        >>> to_categorical([0, 2]).tolist()
        [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    if registry.current().is_tensor(x) and not isinstance(x, np.ndarray):
        classes = int(ops.max(x)) + 1 if num_classes is None else num_classes
        return ops.one_hot(ops.squeeze(x, -1) if ops.ndim(x) > 1 and ops.shape(x)[-1] == 1 else x, classes)
    given = np.asarray(x)
    try:
        numbers = given.astype("int64")
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"to_categorical: expected class numbers; received dtype {given.dtype}. Number the classes first: "
            "`np.unique(labels, return_inverse=True)[1]`."
        ) from error
    if numbers.ndim > 1 and numbers.shape[-1] == 1:
        numbers = numbers[..., 0]
    classes = int(numbers.max()) + 1 if num_classes is None else num_classes
    if numbers.size and (numbers.min() < 0 or numbers.max() >= classes):
        raise ValueError(
            f"to_categorical: class numbers must lie in 0 to {classes - 1}; received {numbers.min()} to "
            f"{numbers.max()}."
        )
    return np.eye(classes)[numbers]


def normalize(x: ArrayLike, axis: int = -1, order: int = 2) -> Any:
    """Return vectors along `axis`, scaled to length 1 in the norm of the given order. Vectors of zeros stay zeros.

    Args:
        x: numbers of any shape.
        axis: the axis of the vectors.
        order: the order of the norm, as for `numpy.linalg.norm`.

    Returns:
        For a NumPy array one of floats, of at least 32 bits, in the shape of `x`; else what `ops.normalize` returns.
    """
    if not isinstance(x, np.ndarray):
        return ops.normalize(x, axis, order)
    x = np.asarray(x, dtype=np.result_type(np.asarray(x).dtype, "float32"))
    length = np.atleast_1d(np.linalg.norm(x, order, axis, keepdims=True))
    return x / np.where(length == 0, 1, length)
