"""Losses of numeric predictions."""

from __future__ import annotations

import math

from polykeras import config, ops
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike, DTypeLike
from polykeras.losses.labels import broadcast_floats
from polykeras.losses.loss import LOSSES, FunctionLoss


@LOSSES.register("mse", "MSE")
def mean_squared_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Return `mean((y_true - y_pred)**2)` over the last axis.

    Args:
        y_true: labels, `(..., n)`.
        y_pred: predictions, of the shape of the labels.

    Returns:
        Floats, `(...)`: the shape without the last axis.
    """
    y_true, y_pred = broadcast_floats(y_true, y_pred, "mean_squared_error")
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


@LOSSES.register("mae", "MAE")
def mean_absolute_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Return `mean(abs(y_true - y_pred))` over the last axis.

    Args:
        y_true: labels, `(..., n)`.
        y_pred: predictions, of the shape of the labels.

    Returns:
        Floats, `(...)`: the shape without the last axis.
    """
    y_true, y_pred = broadcast_floats(y_true, y_pred, "mean_absolute_error")
    return ops.mean(ops.abs(y_true - y_pred), axis=-1)


@LOSSES.register("mape", "MAPE")
def mean_absolute_percentage_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Return `100 * mean(abs((y_true - y_pred) / y_true))` over the last axis; epsilon bounds labels near 0.

    Args:
        y_true: labels, `(..., n)`.
        y_pred: predictions, of the shape of the labels.

    Returns:
        Floats, `(...)`: the shape without the last axis.
    """
    y_true, y_pred = broadcast_floats(y_true, y_pred, "mean_absolute_percentage_error")
    return 100.0 * ops.mean(ops.abs((y_true - y_pred) / ops.maximum(ops.abs(y_true), config.epsilon())), axis=-1)


@LOSSES.register("msle", "MSLE")
def mean_squared_logarithmic_error(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Return `mean((log(1 + y_true) - log(1 + y_pred))**2)` over the last axis; both are at least epsilon.

    Args:
        y_true: labels, `(..., n)`.
        y_pred: predictions, of the shape of the labels.

    Returns:
        Floats, `(...)`: the shape without the last axis.
    """
    y_true, y_pred = broadcast_floats(y_true, y_pred, "mean_squared_logarithmic_error")
    logs = [ops.log(ops.maximum(y, config.epsilon()) + 1.0) for y in (y_pred, y_true)]
    return ops.mean(ops.square(logs[0] - logs[1]), axis=-1)


@LOSSES.register()
def huber(y_true: ArrayLike, y_pred: ArrayLike, delta: float = 1.0) -> Array:
    """Return the mean over the last axis of half the squared error, linear beyond `delta` (Huber, 1964).

    Args:
        y_true: labels, `(..., n)`.
        y_pred: predictions, of the shape of the labels.
        delta: the absolute error up to which the error is squared.

    Returns:
        Floats, `(...)`: the shape without the last axis.
    """
    y_true, y_pred = broadcast_floats(y_true, y_pred, "huber")
    error = ops.abs(y_true - y_pred)
    near = ops.minimum(error, delta)
    return ops.mean(0.5 * ops.square(near) + delta * (error - near), axis=-1)


@LOSSES.register("logcosh")
def log_cosh(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Return `mean(log(cosh(y_pred - y_true)))` over the last axis, without overflow.

    Args:
        y_true: labels, `(..., n)`.
        y_pred: predictions, of the shape of the labels.

    Returns:
        Floats, `(...)`: the shape without the last axis.
    """
    y_true, y_pred = broadcast_floats(y_true, y_pred, "log_cosh")
    x = y_pred - y_true
    return ops.mean(x + ops.softplus(-2.0 * x) - math.log(2.0), axis=-1)


@LOSSES.register()
def poisson(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Return `mean(y_pred - y_true * log(y_pred))` over the last axis.

    Args:
        y_true: counts, `(..., n)`.
        y_pred: rates, positive, of the shape of the labels.

    Returns:
        Floats, `(...)`: the shape without the last axis.
    """
    y_true, y_pred = broadcast_floats(y_true, y_pred, "poisson")
    return ops.mean(y_pred - y_true * ops.log(y_pred + config.epsilon()), axis=-1)


@LOSSES.register("kullback_leibler_divergence", "kld", "KLD")
def kl_divergence(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Return `sum(y_true * log(y_true / y_pred))` over the last axis, with probabilities clipped to [epsilon, 1].

    Args:
        y_true: probabilities, `(..., classes)`.
        y_pred: probabilities, of the shape of the labels.

    Returns:
        Floats, `(...)`: the shape without the last axis.
    """
    y_true, y_pred = broadcast_floats(y_true, y_pred, "kl_divergence")
    y_true, y_pred = ops.clip(y_true, config.epsilon(), 1.0), ops.clip(y_pred, config.epsilon(), 1.0)
    return ops.sum(y_true * ops.log(y_true / y_pred), axis=-1)


@LOSSES.register()
def cosine_similarity(y_true: ArrayLike, y_pred: ArrayLike, axis: int = -1) -> Array:
    """Return minus the cosine of the angle between labels and predictions along `axis`; 0 for a vector of zeros.

    Args:
        y_true: vectors along `axis`.
        y_pred: vectors, of the shape of the labels.
        axis: the axis of the vectors.

    Returns:
        Floats in [-1, 1], of the shape without `axis`.
    """
    y_true, y_pred = broadcast_floats(y_true, y_pred, "cosine_similarity")
    return -ops.sum(ops.normalize(y_true, axis=axis) * ops.normalize(y_pred, axis=axis), axis=axis)


@LOSSES.register()
class MeanSquaredError(FunctionLoss, fn=mean_squared_error):
    """The mean of the squared errors."""


@LOSSES.register()
class MeanAbsoluteError(FunctionLoss, fn=mean_absolute_error):
    """The mean of the absolute errors."""


@LOSSES.register()
class MeanAbsolutePercentageError(FunctionLoss, fn=mean_absolute_percentage_error):
    """The mean of the absolute errors as a percentage of the labels."""


@LOSSES.register()
class MeanSquaredLogarithmicError(FunctionLoss, fn=mean_squared_logarithmic_error):
    """The mean of the squared differences of `log(1 + y)`."""


@LOSSES.register()
class Huber(FunctionLoss, fn=huber):
    """Half the squared error, linear beyond `delta` (Huber, 1964).

    Args:
        delta: the absolute error at which the quadratic part ends.
        reduction: see `Loss`.
        name: the name in logs.
        dtype: see `Loss`.
    """

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str = "huber_loss",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.delta = delta


@LOSSES.register()
class LogCosh(FunctionLoss, fn=log_cosh):
    """The logarithm of the hyperbolic cosine of the error."""


@LOSSES.register()
class Poisson(FunctionLoss, fn=poisson):
    """The negative log-likelihood of counts under a Poisson distribution, up to a constant."""


@LOSSES.register()
class KLDivergence(FunctionLoss, fn=kl_divergence):
    """The Kullback-Leibler divergence of two distributions (Kullback and Leibler, 1951)."""


@LOSSES.register()
class CosineSimilarity(FunctionLoss, fn=cosine_similarity):
    """Minus the cosine of the angle between labels and predictions.

    Args:
        axis: the axis of the vectors.
        reduction: see `Loss`.
        name: the name in logs.
        dtype: see `Loss`.
    """

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "cosine_similarity",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.axis = axis
