"""Projections that are applied to weights after each update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array, Axes
from polykeras.common.types import ConstraintLike
from polykeras.config import epsilon
from polykeras.saving.configurable import Configurable
from polykeras.saving.serialization import Registry, serialize_keras_object

registry: Registry[Constraint] = Registry("constraint", "keras.constraints")


class Constraint(Configurable):
    """Base of constraints: a function from weights to weights. A plain function of yours will do as well."""

    def __call__(self, w: Array) -> Array:
        """Return weights that satisfy the constraint.

        Args:
            w: any shape.
        """
        return w


def _norms(w: Array, axis: Axes) -> Array:
    return ops.sqrt(ops.sum(ops.square(w), axis=axis, keepdims=True))


def _rescaled(w: Array, norms: Array, wanted: Array) -> Array:
    return ops.multiply(w, ops.divide(wanted, ops.add(norms, epsilon())))


@registry.register()
class MaxNorm(Constraint):
    """Shrinks vectors that are longer than a bound.

    Srivastava et al., "Dropout", JMLR 15 (2014).

    Args:
        max_value: the bound of their L2 norms.
        axis: along which the vectors lie: 0 for the weights into each unit of a Dense layer, `[0, 1, 2]` for each
            filter of a Conv2D layer.
    """

    def __init__(self, max_value: float = 2, axis: Axes = 0) -> None:
        self.max_value = max_value
        self.axis = axis

    def __call__(self, w: Array) -> Array:
        norms = _norms(w, self.axis)
        return _rescaled(w, norms, ops.minimum(norms, self.max_value))


@registry.register()
class NonNeg(Constraint):
    """Sets negative weights to 0."""

    def __call__(self, w: Array) -> Array:
        return ops.maximum(w, 0)


@registry.register()
class UnitNorm(Constraint):
    """Gives vectors the length 1.

    Args:
        axis: along which the vectors lie, as for `MaxNorm`.
    """

    def __init__(self, axis: Axes = 0) -> None:
        self.axis = axis

    def __call__(self, w: Array) -> Array:
        return _rescaled(w, _norms(w, self.axis), 1.0)


@registry.register()
class MinMaxNorm(Constraint):
    """Moves the length of vectors toward an interval.

    Args:
        min_value: the lower end.
        max_value: the upper end.
        rate: 1 puts them into the interval, less goes that part of the way.
        axis: along which the vectors lie, as for `MaxNorm`.
    """

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Axes = 0) -> None:
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def __call__(self, w: Array) -> Array:
        norms = _norms(w, self.axis)
        inside = ops.minimum(ops.maximum(norms, self.min_value), self.max_value)
        wanted = ops.add(ops.multiply(self.rate, inside), ops.multiply(1 - self.rate, norms))
        return _rescaled(w, norms, wanted)


max_norm = MaxNorm
non_neg = NonNeg
unit_norm = UnitNorm
min_max_norm = MinMaxNorm


def get(identifier: ConstraintLike) -> Any:
    """Return a constraint.

    Args:
        identifier: a name such as `"max_norm"`, a config, a class, a constraint, a function of an array, or None
            (stays None).

    Raises:
        ValueError: an unknown name, or something else.
    """
    return registry.get(identifier)


def serialize(constraint: Any) -> Any:
    """Return the config of a constraint."""
    return serialize_keras_object(constraint)


def deserialize(config: str | Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the constraint of a config.

    Args:
        config: what `serialize` gave, or a name.
        custom_objects: further names it may use.
    """
    return registry.deserialize(config, custom_objects)
