"""Regularizers: penalties on weights or outputs that training adds to the loss."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common.types import RegularizerLike
from polykeras.saving.configurable import Configurable
from polykeras.saving.serialization import Registry, serialize_keras_object

registry: Registry[Regularizer] = Registry("regularizer", "keras.regularizers")


class Regularizer(Configurable):
    """Base of regularizers, which are functions from an array to a scalar. A plain function works too.

    Attributes:
        mixes_samples: whether the penalty of outputs is no sum over samples.
    """

    mixes_samples: ClassVar[bool] = False

    def __call__(self, x: Array) -> Array:
        """Return the penalty.

        Args:
            x: weights or outputs of any shape.
        """
        return 0.0


def _factor(owner: Regularizer, name: str, value: float) -> float:
    number = isinstance(value, (int, float)) or getattr(value, "shape", None) == ()
    if not number or not math.isfinite(value) or value < 0:
        raise ValueError(f"{type(owner).__name__}: `{name}` must be a number of 0 or more; received {value!r}.")
    return float(value)


@registry.register("l1_l2")
class L1L2(Regularizer):
    """The penalty `l1 * sum(abs(x)) + l2 * sum(x ** 2)`.

    Args:
        l1: a factor, 0 or more.
        l2: a factor, 0 or more.
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = _factor(self, "l1", l1)
        self.l2 = _factor(self, "l2", l2)

    def __call__(self, x: Array) -> Array:
        if not self.l1:
            return ops.multiply(self.l2, ops.sum(ops.square(x)))
        absolute = ops.multiply(self.l1, ops.sum(ops.abs(x)))
        return ops.add(absolute, ops.multiply(self.l2, ops.sum(ops.square(x)))) if self.l2 else absolute


@registry.register()
class L1(Regularizer):
    """The penalty `l1 * sum(abs(x))`.

    Args:
        l1: a factor, 0 or more.
    """

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = _factor(self, "l1", l1)

    def __call__(self, x: Array) -> Array:
        return ops.multiply(self.l1, ops.sum(ops.abs(x)))


@registry.register()
class L2(Regularizer):
    """The penalty `l2 * sum(x ** 2)`.

    Args:
        l2: a factor, 0 or more.

    Example:
        >>> float(L2(0.1)([3.0, 4.0]))
        2.5
    """

    def __init__(self, l2: float = 0.01) -> None:
        self.l2 = _factor(self, "l2", l2)

    def __call__(self, x: Array) -> Array:
        return ops.multiply(self.l2, ops.sum(ops.square(x)))


@registry.register()
class OrthogonalRegularizer(Regularizer):
    """The penalty `factor` times the mean absolute cosine between two different rows (or columns) of a matrix.

    Args:
        factor: a factor, 0 or more.
        mode: `"rows"` or `"columns"`.

    Raises:
        ValueError: the mode is another one, or the factor is negative or not a number.
    """

    mixes_samples = True

    def __init__(self, factor: float = 0.01, mode: Literal["rows", "columns"] = "rows") -> None:
        if mode not in ("rows", "columns"):
            raise ValueError(f"OrthogonalRegularizer: `mode` must be 'rows' or 'columns'; received {mode!r}.")
        self.factor = _factor(self, "factor", factor)
        self.mode = mode

    def __call__(self, x: Array) -> Array:
        shape = ops.shape(x)
        if len(shape) != 2:
            raise ValueError(f"OrthogonalRegularizer takes matrices; received an array of shape {shape}.")
        rows = x if self.mode == "rows" else ops.transpose(x)
        count = shape[0] if self.mode == "rows" else shape[1]
        if count is None:
            raise ValueError(f"OrthogonalRegularizer needs to know the number of {self.mode}; received {x!r}.")
        rows = ops.normalize(rows, axis=1)
        cosines = ops.matmul(rows, ops.transpose(rows))
        cosines = ops.multiply(cosines, ops.subtract(1.0, ops.eye(count, dtype=cosines.dtype)))
        return ops.multiply(self.factor / max(1, count * (count - 1)), ops.sum(ops.abs(cosines)))


l1 = L1
l2 = L2
l1_l2 = L1L2
orthogonal_regularizer = OrthogonalRegularizer


def get(identifier: RegularizerLike) -> Any:
    """Return a regularizer.

    Args:
        identifier: a name such as `"l2"`, a config, a class, a regularizer, a function of an array, or None (which
            stays None).

    Raises:
        ValueError: the name is unknown, or the identifier has another type.
    """
    return registry.get(identifier)


def serialize(regularizer: Any) -> Any:
    """Return the config of a regularizer."""
    return serialize_keras_object(regularizer)


def deserialize(config: str | Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the regularizer that a config describes.

    Args:
        config: the result of `serialize`, or a name.
        custom_objects: additional names that the config may use.
    """
    return registry.deserialize(config, custom_objects)
