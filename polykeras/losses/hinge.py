"""Hinge losses: margins between classes."""

from __future__ import annotations

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike
from polykeras.losses.labels import broadcast_floats
from polykeras.losses.loss import LOSSES, FunctionLoss


def _signs(y_true: ArrayLike, y_pred: ArrayLike, name: str) -> tuple[Array, Array]:
    """Return labels, with 0 and 1 turned into -1 and 1, and predictions."""
    y_true, y_pred = broadcast_floats(y_true, y_pred, name)
    is_binary = ops.all(ops.logical_or(ops.equal(y_true, 0.0), ops.equal(y_true, 1.0)))
    return ops.where(is_binary, 2.0 * y_true - 1.0, y_true), y_pred


@LOSSES.register()
def hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Return `mean(max(1 - y_true * y_pred, 0))` over the last axis, for labels -1 and 1 (or 0 and 1).

    Args:
        y_true: labels, `(..., n)`; if all labels of a batch are 0 or 1, they are taken as -1 and 1.
        y_pred: scores, of the shape of the labels.

    Returns:
        Floats, `(...)`: the shape without the last axis.
    """
    y_true, y_pred = _signs(y_true, y_pred, "hinge")
    return ops.mean(ops.maximum(1.0 - y_true * y_pred, 0.0), axis=-1)


@LOSSES.register()
def squared_hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Return `mean(max(1 - y_true * y_pred, 0)**2)` over the last axis, for labels -1 and 1 (or 0 and 1).

    Args:
        y_true: labels, `(..., n)`; if all labels of a batch are 0 or 1, they are taken as -1 and 1.
        y_pred: scores, of the shape of the labels.

    Returns:
        Floats, `(...)`: the shape without the last axis.
    """
    y_true, y_pred = _signs(y_true, y_pred, "squared_hinge")
    return ops.mean(ops.square(ops.maximum(1.0 - y_true * y_pred, 0.0)), axis=-1)


@LOSSES.register()
def categorical_hinge(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Return `max(1 + best wrong - right, 0)` over the classes, for one-hot labels (Crammer and Singer, 2001).

    Args:
        y_true: one-hot labels, `(..., classes)`.
        y_pred: scores, of the shape of the labels.

    Returns:
        Floats, `(...)`: the shape without the last axis.
    """
    y_true, y_pred = broadcast_floats(y_true, y_pred, "categorical_hinge")
    right = ops.sum(y_true * y_pred, axis=-1)
    wrong = ops.max((1.0 - y_true) * y_pred, axis=-1)
    return ops.maximum(wrong - right + 1.0, 0.0)


@LOSSES.register()
class Hinge(FunctionLoss, fn=hinge):
    """`max(1 - y_true * y_pred, 0)`, for labels -1 and 1."""


@LOSSES.register()
class SquaredHinge(FunctionLoss, fn=squared_hinge):
    """`max(1 - y_true * y_pred, 0)**2`, for labels -1 and 1."""


@LOSSES.register()
class CategoricalHinge(FunctionLoss, fn=categorical_hinge):
    """The margin between the right class and the best wrong one (Crammer and Singer, 2001)."""
