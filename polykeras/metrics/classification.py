"""Losses of class or probability predictions, as metrics."""

from __future__ import annotations

from polykeras import ops
from polykeras.common.types import ArrayLike, DTypeLike
from polykeras.losses.crossentropy import (
    binary_crossentropy,
    categorical_crossentropy,
    sparse_categorical_crossentropy,
)
from polykeras.losses.hinge import categorical_hinge, hinge, squared_hinge
from polykeras.losses.labels import class_numbers
from polykeras.losses.reduction import left_aligned
from polykeras.losses.regression import kl_divergence, poisson
from polykeras.metrics.mean import MeanMetricWrapper
from polykeras.metrics.metric import METRICS


@METRICS.register("bce", "BCE")
class BinaryCrossentropy(MeanMetricWrapper):
    """The cross-entropy of two classes.

    Args:
        name: the name in logs.
        dtype: the dtype of the state.
        from_logits: whether predictions are logits instead of probabilities.
        label_smoothing: a number in [0, 1] that moves labels toward one half.
    """

    def __init__(
        self,
        name: str = "binary_crossentropy",
        dtype: DTypeLike = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ) -> None:
        super().__init__(binary_crossentropy, name, dtype, from_logits=from_logits, label_smoothing=label_smoothing)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing


@METRICS.register()
class CategoricalCrossentropy(MeanMetricWrapper):
    """The cross-entropy of one-hot labels.

    Args:
        name: the name in logs.
        dtype: the dtype of the state.
        from_logits: whether predictions are logits instead of probabilities.
        label_smoothing: a number in [0, 1] that moves labels toward the uniform distribution.
        axis: the axis of the classes.
    """

    def __init__(
        self,
        name: str = "categorical_crossentropy",
        dtype: DTypeLike = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ) -> None:
        super().__init__(
            categorical_crossentropy, name, dtype, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis
        )
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis


@METRICS.register()
class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """The cross-entropy of class numbers.

    Args:
        name: the name in logs.
        dtype: the dtype of the state.
        from_logits: whether predictions are logits instead of probabilities.
        ignore_class: a class number whose samples do not count, as in the loss.
        axis: the axis of the classes.
    """

    def __init__(
        self,
        name: str = "sparse_categorical_crossentropy",
        dtype: DTypeLike = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(
            sparse_categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )
        self.from_logits = from_logits
        self.ignore_class = ignore_class
        self.axis = axis

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Add a batch; arguments are as for `MeanMetricWrapper`."""
        if self.ignore_class is not None:
            classes = class_numbers(y_true, ops.convert_to_tensor(y_pred), self.axis, self.name)
            counts = ops.cast(ops.not_equal(classes, self.ignore_class), self.dtype)
            if sample_weight is not None:
                counts = left_aligned(ops.cast(sample_weight, self.dtype), counts) * counts
            sample_weight = counts
        super().update_state(y_true, y_pred, sample_weight)


@METRICS.register("kullback_leibler_divergence", "kld", "KLD")
class KLDivergence(MeanMetricWrapper):
    """The Kullback-Leibler divergence of two distributions (Kullback and Leibler, 1951).

    Args:
        name: the name in logs.
        dtype: the dtype of the state.
    """

    def __init__(self, name: str = "kl_divergence", dtype: DTypeLike = None) -> None:
        super().__init__(kl_divergence, name, dtype)


@METRICS.register()
class Poisson(MeanMetricWrapper):
    """The negative log-likelihood of counts under a Poisson distribution, up to a constant.

    Args:
        name: the name in logs.
        dtype: the dtype of the state.
    """

    def __init__(self, name: str = "poisson", dtype: DTypeLike = None) -> None:
        super().__init__(poisson, name, dtype)


@METRICS.register()
class Hinge(MeanMetricWrapper):
    """`max(1 - y_true * y_pred, 0)`, for labels -1 and 1.

    Args:
        name: the name in logs.
        dtype: the dtype of the state.
    """

    def __init__(self, name: str = "hinge", dtype: DTypeLike = None) -> None:
        super().__init__(hinge, name, dtype)


@METRICS.register()
class SquaredHinge(MeanMetricWrapper):
    """`max(1 - y_true * y_pred, 0)**2`, for labels -1 and 1.

    Args:
        name: the name in logs.
        dtype: the dtype of the state.
    """

    def __init__(self, name: str = "squared_hinge", dtype: DTypeLike = None) -> None:
        super().__init__(squared_hinge, name, dtype)


@METRICS.register()
class CategoricalHinge(MeanMetricWrapper):
    """The margin between the right class and the best wrong one (Crammer and Singer, 2001).

    Args:
        name: the name in logs.
        dtype: the dtype of the state.
    """

    def __init__(self, name: str = "categorical_hinge", dtype: DTypeLike = None) -> None:
        super().__init__(categorical_hinge, name, dtype)
