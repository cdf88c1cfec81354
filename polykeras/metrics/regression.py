"""Errors of numeric predictions, and their correlation with labels."""

from __future__ import annotations

from polykeras import config, ops
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike, DTypeLike
from polykeras.losses.labels import floats
from polykeras.losses.regression import (
    cosine_similarity as negative_cosine_similarity,
)
from polykeras.losses.regression import (
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from polykeras.metrics.mean import FUNCTIONS, MeanMetricWrapper
from polykeras.metrics.metric import METRICS


@FUNCTIONS.register()
def cosine_similarity(y_true: ArrayLike, y_pred: ArrayLike, axis: int = -1) -> Array:
    """Return the cosine of the angle between labels and predictions along `axis`; 0 for a vector of zeros.

    Args:
        y_true: vectors along `axis`.
        y_pred: vectors, of the shape of the labels.
        axis: the axis of the vectors.

    Returns:
        Floats in [-1, 1], of the shape without `axis`.
    """
    return -negative_cosine_similarity(y_true, y_pred, axis)


@FUNCTIONS.register()
def pearson_correlation(y_true: ArrayLike, y_pred: ArrayLike, axis: int = -1) -> Array:
    """Return Pearson's coefficient of correlation of labels and predictions along `axis`; 0 if one is constant.

    Args:
        y_true: labels, numbers.
        y_pred: predictions, of the shape of the labels.
        axis: the axis of the samples that are compared.

    Returns:
        Floats in [-1, 1], of the shape without `axis`.
    """
    y_true, y_pred = _centred(*floats(y_true, y_pred, "pearson_correlation"), axis)
    return cosine_similarity(y_true, y_pred, axis)


@FUNCTIONS.register()
def concordance_correlation(y_true: ArrayLike, y_pred: ArrayLike, axis: int = -1) -> Array:
    """Return Lin's coefficient of concordance of labels and predictions along `axis`; 1 if they are equal.

    Source: L. Lin, "A concordance correlation coefficient to evaluate reproducibility", Biometrics 45 (1989).

    Args:
        y_true: labels, numbers.
        y_pred: predictions, of the shape of the labels.
        axis: the axis of the samples that are compared.

    Returns:
        Floats in [-1, 1], of the shape without `axis`.
    """
    y_true, y_pred = floats(y_true, y_pred, "concordance_correlation")
    shift = ops.mean(y_true, axis) - ops.mean(y_pred, axis)
    y_true, y_pred = _centred(y_true, y_pred, axis)
    spread = ops.mean(ops.square(y_true), axis) + ops.mean(ops.square(y_pred), axis) + ops.square(shift)
    return 2.0 * ops.mean(y_true * y_pred, axis) / (spread + config.epsilon())


def _centred(y_true: ArrayLike, y_pred: ArrayLike, axis: int) -> tuple[Array, Array]:
    return y_true - ops.mean(y_true, axis, keepdims=True), y_pred - ops.mean(y_pred, axis, keepdims=True)


@METRICS.register("mse", "MSE")
class MeanSquaredError(MeanMetricWrapper):
    """The mean of the squared errors.

    Args:
        name: the name in logs.
        dtype: the dtype of the state.
    """

    def __init__(self, name: str = "mean_squared_error", dtype: DTypeLike = None) -> None:
        super().__init__(mean_squared_error, name, dtype)


@METRICS.register("mae", "MAE")
class MeanAbsoluteError(MeanMetricWrapper):
    """The mean of the absolute errors.

    Args:
        name: the name in logs.
        dtype: the dtype of the state.
    """

    def __init__(self, name: str = "mean_absolute_error", dtype: DTypeLike = None) -> None:
        super().__init__(mean_absolute_error, name, dtype)


@METRICS.register("mape", "MAPE")
class MeanAbsolutePercentageError(MeanMetricWrapper):
    """The mean of the absolute errors as a percentage of the labels.

    Args:
        name: the name in logs.
        dtype: the dtype of the state.
    """

    def __init__(self, name: str = "mean_absolute_percentage_error", dtype: DTypeLike = None) -> None:
        super().__init__(mean_absolute_percentage_error, name, dtype)


@METRICS.register("msle", "MSLE")
class MeanSquaredLogarithmicError(MeanMetricWrapper):
    """The mean of the squared differences of `log(1 + y)`.

    Args:
        name: the name in logs.
        dtype: the dtype of the state.
    """

    def __init__(self, name: str = "mean_squared_logarithmic_error", dtype: DTypeLike = None) -> None:
        super().__init__(mean_squared_logarithmic_error, name, dtype)


@METRICS.register("logcosh", "log_cosh")
class LogCoshError(MeanMetricWrapper):
    """The mean logarithm of the hyperbolic cosine of the error.

    Args:
        name: the name in logs.
        dtype: the dtype of the state.
    """

    def __init__(self, name: str = "logcosh", dtype: DTypeLike = None) -> None:
        super().__init__(log_cosh, name, dtype)


def _squared_errors(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    y_true, y_pred = floats(y_true, y_pred, "RootMeanSquaredError")
    return ops.square(y_true - y_pred)


@METRICS.register("rmse", "RMSE")
class RootMeanSquaredError(MeanMetricWrapper):
    """The square root of the mean of the squared errors, over all batches together.

    Args:
        name: the name in logs.
        dtype: the dtype of the state.
    """

    direction = "down"

    def __init__(self, name: str = "root_mean_squared_error", dtype: DTypeLike = None) -> None:
        super().__init__(_squared_errors, name, dtype)

    def result(self) -> Array:
        """Return the root."""
        return ops.sqrt(super().result())


@METRICS.register()
class CosineSimilarity(MeanMetricWrapper):
    """The cosine of the angle between labels and predictions.

    Args:
        name: the name in logs.
        dtype: the dtype of the state.
        axis: the axis of the vectors.
    """

    direction = "up"

    def __init__(self, name: str = "cosine_similarity", dtype: DTypeLike = None, axis: int = -1) -> None:
        super().__init__(cosine_similarity, name, dtype, axis=axis)
        self.axis = axis


@METRICS.register()
class PearsonCorrelation(MeanMetricWrapper):
    """Pearson's coefficient of correlation, the mean over samples.

    Args:
        name: the name in logs.
        dtype: the dtype of the state.
        axis: the axis along which labels and predictions are compared.
    """

    direction = "up"

    def __init__(self, name: str = "pearson_correlation", dtype: DTypeLike = None, axis: int = -1) -> None:
        super().__init__(pearson_correlation, name, dtype, axis=axis)
        self.axis = axis


@METRICS.register()
class ConcordanceCorrelation(MeanMetricWrapper):
    """Lin's coefficient of concordance (1989), the mean over samples.

    Args:
        name: the name in logs.
        dtype: the dtype of the state.
        axis: the axis along which labels and predictions are compared.
    """

    direction = "up"

    def __init__(self, name: str = "concordance_correlation", dtype: DTypeLike = None, axis: int = -1) -> None:
        super().__init__(concordance_correlation, name, dtype, axis=axis)
        self.axis = axis
