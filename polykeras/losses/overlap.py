"""Losses of segmentation, which measure the overlap of labels and predictions."""

from __future__ import annotations

from polykeras import config, ops
from polykeras.backend.spec import Array, Axis
from polykeras.collectives import sum_over_workers
from polykeras.common.types import ArrayLike, DTypeLike
from polykeras.losses.labels import floats
from polykeras.losses.loss import LOSSES, FunctionLoss, mixes_samples


@LOSSES.register()
@mixes_samples
def dice(y_true: ArrayLike, y_pred: ArrayLike, axis: Axis = None) -> Array:
    """Return 1 minus the Dice coefficient, `2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred))`.

    Source: Milletari et al., "V-Net", 2016, https://arxiv.org/abs/1606.04797, without squares in the divisor.

    Args:
        y_true: labels in [0, 1].
        y_pred: predictions in [0, 1], of the same shape.
        axis: the axes of the sums; None sums over all.
    """
    y_true, y_pred = floats(y_true, y_pred, "dice")
    sums = _sum(y_true, axis) + _sum(y_pred, axis)
    return 1.0 - 2.0 * _sum(y_true * y_pred, axis) / (sums + config.epsilon())


def _sum(x: Array, axis: Axis) -> Array:
    """Return a sum; over the samples of all workers, if it is one over samples."""
    total = ops.sum(x, axis=axis)
    axes = (axis,) if isinstance(axis, int) else axis
    over_samples = axes is None or 0 in [i % ops.ndim(x) for i in axes]
    return sum_over_workers(total) if over_samples else total


@LOSSES.register()
@mixes_samples
def tversky(y_true: ArrayLike, y_pred: ArrayLike, alpha: float = 0.5, beta: float = 0.5, axis: Axis = None) -> Array:
    """Return 1 minus the Tversky index, `both / (both + alpha * missed + beta * false)`.

    `both`, `missed` and `false` are the sums of `y_true * y_pred`, `y_true * (1 - y_pred)` and `(1 - y_true) * y_pred`.

    Source: Salehi et al., "Tversky loss function for image segmentation", 2017, https://arxiv.org/abs/1706.05721.

    Args:
        y_true: labels in [0, 1].
        y_pred: predictions in [0, 1], of the same shape.
        alpha: the weight of missed elements.
        beta: the weight of false detections.
        axis: the axes of the sums; None sums over all.
    """
    y_true, y_pred = floats(y_true, y_pred, "tversky")
    both = _sum(y_true * y_pred, axis)
    missed = _sum(y_true * (1.0 - y_pred), axis)
    false = _sum((1.0 - y_true) * y_pred, axis)
    return 1.0 - both / (both + alpha * missed + beta * false + config.epsilon())


@LOSSES.register()
class Dice(FunctionLoss, fn=dice):
    """1 minus the Dice coefficient of labels and predictions (Milletari et al., 2016).

    Args:
        reduction: see `Loss`.
        name: the name in logs.
        axis: the axes of the sums; None sums over all.
        dtype: see `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "dice",
        axis: Axis = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.axis = axis


@LOSSES.register()
class Tversky(FunctionLoss, fn=tversky):
    """1 minus the Tversky index of labels and predictions (Salehi et al., 2017).

    Args:
        alpha: the weight of missed elements.
        beta: the weight of false detections.
        reduction: see `Loss`.
        name: the name in logs.
        axis: the axes of the sums; None sums over all.
        dtype: see `Loss`.
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str = "tversky",
        axis: Axis = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.alpha = alpha
        self.beta = beta
        self.axis = axis
