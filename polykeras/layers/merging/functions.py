"""The merging layers as functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike
from polykeras.layers.merging.merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
)


def add(inputs: Sequence[ArrayLike], **kwargs: Any) -> Array:
    """Return `Add(**kwargs)(inputs)`.

    Args:
        inputs: the arrays, as for `Add`.
        **kwargs: arguments of the layer.
    """
    return Add(**kwargs)(inputs)


def subtract(inputs: Sequence[ArrayLike], **kwargs: Any) -> Array:
    """Return `Subtract(**kwargs)(inputs)`.

    Args:
        inputs: the arrays, as for `Subtract`.
        **kwargs: arguments of the layer.
    """
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Sequence[ArrayLike], **kwargs: Any) -> Array:
    """Return `Multiply(**kwargs)(inputs)`.

    Args:
        inputs: the arrays, as for `Multiply`.
        **kwargs: arguments of the layer.
    """
    return Multiply(**kwargs)(inputs)


def average(inputs: Sequence[ArrayLike], **kwargs: Any) -> Array:
    """Return `Average(**kwargs)(inputs)`.

    Args:
        inputs: the arrays, as for `Average`.
        **kwargs: arguments of the layer.
    """
    return Average(**kwargs)(inputs)


def maximum(inputs: Sequence[ArrayLike], **kwargs: Any) -> Array:
    """Return `Maximum(**kwargs)(inputs)`.

    Args:
        inputs: the arrays, as for `Maximum`.
        **kwargs: arguments of the layer.
    """
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Sequence[ArrayLike], **kwargs: Any) -> Array:
    """Return `Minimum(**kwargs)(inputs)`.

    Args:
        inputs: the arrays, as for `Minimum`.
        **kwargs: arguments of the layer.
    """
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Sequence[ArrayLike], axis: int = -1, **kwargs: Any) -> Array:
    """Return `Concatenate(axis, **kwargs)(inputs)`.

    Args:
        inputs: the arrays, as for `Concatenate`.
        axis: the axis to join.
        **kwargs: arguments of the layer.
    """
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: Sequence[ArrayLike], axes: Any = -1, **kwargs: Any) -> Array:
    """Return `Dot(axes, **kwargs)(inputs)`.

    Args:
        inputs: the arrays, as for `Dot`.
        axes: the axes to multiply along, see `Dot`.
        **kwargs: arguments of the layer.
    """
    return Dot(axes=axes, **kwargs)(inputs)
