"""Metrics that count right predictions."""

from __future__ import annotations

from polykeras import config, ops
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike, DTypeLike
from polykeras.losses.labels import class_numbers
from polykeras.losses.loss import aligned
from polykeras.metrics.mean import FUNCTIONS, MeanMetricWrapper
from polykeras.metrics.metric import METRICS


@FUNCTIONS.register()
def accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Return 1 where a prediction equals its label and 0 elsewhere, elementwise.

    Args:
        y_true: labels, of any shape.
        y_pred: predicted labels, of the same shape.

    Returns:
        Floats of the default dtype, in the same shape.
    """
    y_true, y_pred = aligned(y_true, y_pred, "accuracy")
    return ops.cast(ops.equal(y_true, y_pred), config.floatx())


@FUNCTIONS.register()
def binary_accuracy(y_true: ArrayLike, y_pred: ArrayLike, threshold: float = 0.5) -> Array:
    """Return 1 where a prediction is on the same side of the threshold as its label and 0 elsewhere, elementwise.

    Args:
        y_true: labels 0 and 1.
        y_pred: predictions, in the shape of the labels.
        threshold: predictions above it count as 1.
    """
    y_true, y_pred = aligned(y_true, y_pred, "binary_accuracy")
    predicted = ops.cast(ops.greater(y_pred, threshold), ops.dtype(y_true))
    return ops.cast(ops.equal(y_true, predicted), config.floatx())


@FUNCTIONS.register()
def categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Return 1 where the largest prediction is that of the true class and 0 elsewhere.

    Args:
        y_true: one-hot labels `(..., classes)`.
        y_pred: scores, in the shape of the labels.
    """
    y_true, y_pred = aligned(y_true, y_pred, "categorical_accuracy")
    return ops.cast(ops.equal(ops.argmax(y_true, axis=-1), ops.argmax(y_pred, axis=-1)), config.floatx())


@FUNCTIONS.register()
def sparse_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Return 1 where the largest prediction is that of the true class and 0 elsewhere.

    Args:
        y_true: class numbers `(...)`, or `(..., 1)`.
        y_pred: scores `(..., classes)`.
    """
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = class_numbers(y_true, y_pred, -1, "sparse_categorical_accuracy")
    return ops.cast(ops.equal(y_true, ops.argmax(y_pred, axis=-1)), config.floatx())


@FUNCTIONS.register()
def top_k_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike, k: int = 5) -> Array:
    """Return 1 where fewer than `k` classes have a larger prediction than the true one and 0 elsewhere.

    Args:
        y_true: one-hot labels `(..., classes)`.
        y_pred: scores, in the shape of the labels.
        k: the number of classes, see above.
    """
    y_true, y_pred = aligned(y_true, y_pred, "top_k_categorical_accuracy")
    return sparse_top_k_categorical_accuracy(ops.argmax(y_true, axis=-1), y_pred, k)


@FUNCTIONS.register()
def sparse_top_k_categorical_accuracy(
    y_true: ArrayLike, y_pred: ArrayLike, k: int = 5, from_sorted_ids: bool = False
) -> Array:
    """Return 1 where fewer than `k` classes have a larger prediction than the true one and 0 elsewhere.

    Args:
        y_true: class numbers `(...)`, or `(..., 1)`.
        y_pred: scores `(..., classes)`; with `from_sorted_ids`, class numbers `(..., n)`, the best one first.
        k: the number of classes, see above.
        from_sorted_ids: whether `y_pred` holds class numbers.
    """
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = class_numbers(y_true, y_pred, -1, "sparse_top_k_categorical_accuracy")
    if from_sorted_ids:
        best = ops.cast(y_pred, "int32")[..., :k]
        matches = ops.any(ops.equal(ops.expand_dims(y_true, -1), best), axis=-1)
    else:
        matches = ops.in_top_k(y_true, y_pred, k)
    return ops.cast(matches, config.floatx())


class _ShareOfRight(MeanMetricWrapper):
    """The mean of ones and zeros, one for each prediction."""

    direction = "up"


@METRICS.register()
class Accuracy(_ShareOfRight):
    """How often predictions equal labels.

    Args:
        name: the name in logs.
        dtype: the dtype of the state.
    """

    def __init__(self, name: str = "accuracy", dtype: DTypeLike = None) -> None:
        super().__init__(accuracy, name, dtype)


@METRICS.register()
class BinaryAccuracy(_ShareOfRight):
    """How often predictions and labels, which are 0 and 1, are on the same side of a threshold.

    Args:
        name: the name in logs.
        dtype: the dtype of the state.
        threshold: predictions above it count as 1.
    """

    def __init__(self, name: str = "binary_accuracy", dtype: DTypeLike = None, threshold: float = 0.5) -> None:
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)
        self.threshold = threshold


@METRICS.register()
class CategoricalAccuracy(_ShareOfRight):
    """How often the largest prediction is that of the true class, for one-hot labels.

    Args:
        name: the name in logs.
        dtype: the dtype of the state.
    """

    def __init__(self, name: str = "categorical_accuracy", dtype: DTypeLike = None) -> None:
        super().__init__(categorical_accuracy, name, dtype)


@METRICS.register()
class SparseCategoricalAccuracy(_ShareOfRight):
    """How often the largest prediction is that of the true class, for class numbers.

    Args:
        name: the name in logs.
        dtype: the dtype of the state.
    """

    def __init__(self, name: str = "sparse_categorical_accuracy", dtype: DTypeLike = None) -> None:
        super().__init__(sparse_categorical_accuracy, name, dtype)


@METRICS.register()
class TopKCategoricalAccuracy(_ShareOfRight):
    """How often the true class is among the `k` best predictions, for one-hot labels.

    Args:
        k: the number of predictions that count.
        name: the name in logs.
        dtype: the dtype of the state.
    """

    def __init__(self, k: int = 5, name: str = "top_k_categorical_accuracy", dtype: DTypeLike = None) -> None:
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)
        self.k = k


@METRICS.register()
class SparseTopKCategoricalAccuracy(_ShareOfRight):
    """How often the true class is among the `k` best predictions, for class numbers.

    Args:
        k: the number of predictions that count.
        name: the name in logs.
        dtype: the dtype of the state.
        from_sorted_ids: whether predictions are class numbers, the best one first, instead of scores.
    """

    def __init__(
        self,
        k: int = 5,
        name: str = "sparse_top_k_categorical_accuracy",
        dtype: DTypeLike = None,
        from_sorted_ids: bool = False,
    ) -> None:
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=k, from_sorted_ids=from_sorted_ids)
        self.k = k
        self.from_sorted_ids = from_sorted_ids
