"""Counts of right and wrong decisions at thresholds, and ratios of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike, DTypeLike
from polykeras.losses.loss import aligned
from polykeras.losses.reduction import left_aligned
from polykeras.metrics.mean import sample_weights
from polykeras.metrics.metric import METRICS, Metric
from polykeras.metrics.thresholds import sums_above
from polykeras.variables import Variable


class ConfusionMetric(Metric):
    """Base class of metrics that count true and false positives and negatives.

    Args:
        thresholds: a score above a threshold is a positive decision; there is a count for each threshold.
        top_k: if given, only the `k` largest scores along the last axis can be positive.
        class_id: if given, only that index of the last axis counts.
        name: the name in logs.
        dtype: the dtype of the state.
    """

    def __init__(
        self,
        thresholds: Sequence[float],
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(dtype, name)
        self.thresholds = list(thresholds)
        self.top_k = top_k
        self.class_id = class_id

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Add a batch.

        Args:
            y_true: labels 0 and 1 (all other values count as 1).
            y_pred: scores, in the shape of the labels. A mask that a layer attached to them is applied.
            sample_weight: weights that broadcast to the labels from the left.

        Raises:
            ValueError: if `class_id` is set, and there is no axis of classes.
        """
        weight = sample_weights(y_pred, sample_weight, self.dtype)
        y_true, y_pred = aligned(y_true, y_pred, type(self).__name__)
        scores = self._scores(ops.cast(y_pred, self.dtype))
        truth = ops.broadcast_to(ops.not_equal(y_true, 0), ops.shape(scores))
        if weight is None:
            weight = ops.ones_like(scores)
        else:
            weight = ops.broadcast_to(left_aligned(weight, scores), ops.shape(scores))
        if self.top_k is not None:
            scores = _only_top_k(scores, self.top_k)
        if self.class_id is not None:
            if len(ops.shape(scores)) < 2:
                raise ValueError(
                    f"{type(self).__name__}: class_id needs labels and predictions with an axis of classes; received "
                    f"shape {ops.shape(scores)}."
                )
            truth, scores, weight = (part[..., self.class_id] for part in (truth, scores, weight))
        self._count(scores, truth, weight)

    def _scores(self, y_pred: ArrayLike) -> Array:
        return y_pred

    def _count(self, scores: Array, truth: Array, weight: Array, labels: int = 1) -> None:
        """Add to the counts.

        Args:
            scores: floats of any shape.
            truth: bools of the same shape.
            weight: floats of the same shape.
            labels: the size of the last axis, if each label is counted separately.
        """
        self._add(*(ops.reshape(part, (-1, labels)) for part in (scores, truth, weight)))

    def _add(self, scores: Array, truth: Array, weight: Array) -> None:
        """Add the arguments of `_count`, in the shape `(samples, labels)`, to the state."""
        raise NotImplementedError


def _only_top_k(scores: Array, k: int) -> Array:
    """Return scores in which all but the `k` largest along the last axis are -inf."""
    _, places = ops.top_k(scores, k)
    chosen = ops.any(ops.one_hot(places, ops.shape(scores)[-1], dtype="bool"), axis=-2)
    return ops.where(chosen, scores, -math.inf)


def share(part: Any, rest: Any) -> Array:
    """Return `part / (part + rest)`, or 0 where both are 0."""
    return ops.divide_no_nan(part, part + rest)


class _AtThresholds(ConfusionMetric):
    """A value for each of the user's thresholds; a scalar for a single threshold.

    Attributes:
        counts: the counts, of those below, that the metric keeps.
    """

    counts: ClassVar[tuple[str, ...]]

    true_positives: Variable
    false_positives: Variable
    true_negatives: Variable
    false_negatives: Variable

    def __init__(
        self,
        thresholds: float | Sequence[float] | None = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        # The k largest scores are positive, however small they are.
        default = 0.5 if top_k is None else -math.inf
        super().__init__(_thresholds(thresholds, default, type(self).__name__), top_k, class_id, name, dtype)
        self.init_thresholds = thresholds
        for name in self.counts:
            setattr(self, name, self.add_variable((len(self.thresholds),), name=name))

    def _add(self, scores: Array, truth: Array, weight: Array) -> None:
        sums = sums_above(scores, truth, weight, np.array(self.thresholds))
        (negatives, false_positives), (positives, true_positives) = sums
        values = {
            "true_positives": true_positives,
            "false_positives": false_positives,
            # Sums of fractions in another order may differ in the last digit, so differences are clipped at 0.
            "false_negatives": ops.maximum(positives - true_positives, 0.0),
            "true_negatives": ops.maximum(negatives - false_positives, 0.0),
        }
        for name in self.counts:
            variable = getattr(self, name)
            variable.assign(variable + ops.reshape(values[name], variable.shape))

    def _values(self) -> Array:
        raise NotImplementedError

    def result(self) -> Array:
        """Return a vector with one value for each threshold, or a scalar for a single threshold."""
        values = self._values()
        return values if len(self.thresholds) > 1 else values[0]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        return super().get_config() | {"thresholds": self.init_thresholds}


def _thresholds(thresholds: float | Sequence[float] | None, default: float, owner: str) -> list[float]:
    if thresholds is None:
        return [default]
    values = [float(t) for t in np.ravel(thresholds)]
    if not values or any(not 0.0 <= t <= 1.0 for t in values):
        raise ValueError(f"{owner}: thresholds must be one or several numbers in [0, 1]; received {thresholds!r}.")
    return values


@METRICS.register()
class Precision(_AtThresholds):
    """The fraction of positive decisions that are true.

    Args:
        thresholds: scores above one of them are positive; 0.5 by default.
        top_k: if given, only the `k` largest scores along the last axis are positive.
        class_id: if given, only that index of the last axis counts.
        name: the name in logs.
        dtype: the dtype of the state.
    """

    direction = "up"
    counts = ("true_positives", "false_positives")

    def _values(self) -> Array:
        return share(self.true_positives, self.false_positives)


@METRICS.register()
class Recall(_AtThresholds):
    """The fraction of true labels with a positive decision.

    Args:
        thresholds: scores above one of them are positive; 0.5 by default.
        top_k: if given, only the `k` largest scores along the last axis are positive.
        class_id: if given, only that index of the last axis counts.
        name: the name in logs.
        dtype: the dtype of the state.
    """

    direction = "up"
    counts = ("true_positives", "false_negatives")

    def _values(self) -> Array:
        return share(self.true_positives, self.false_negatives)


class _Count(_AtThresholds):
    def __init__(
        self, thresholds: float | Sequence[float] | None = None, name: str | None = None, dtype: DTypeLike = None
    ) -> None:
        super().__init__(thresholds, name=name, dtype=dtype)

    def _values(self) -> Array:
        return getattr(self, self.counts[0]).value


@METRICS.register()
class TruePositives(_Count):
    """The number, or the sum of the weights, of labels 1 with a score above the threshold.

    Args:
        thresholds: one or several numbers in [0, 1]; 0.5 by default.
        name: the name in logs.
        dtype: the dtype of the state.
    """

    direction = "up"
    counts = ("true_positives",)


@METRICS.register()
class FalsePositives(_Count):
    """The number, or the sum of the weights, of labels 0 with a score above the threshold.

    Args:
        thresholds: one or several numbers in [0, 1]; 0.5 by default.
        name: the name in logs.
        dtype: the dtype of the state.
    """

    direction = "down"
    counts = ("false_positives",)


@METRICS.register()
class TrueNegatives(_Count):
    """The number, or the sum of the weights, of labels 0 with a score not above the threshold.

    Args:
        thresholds: one or several numbers in [0, 1]; 0.5 by default.
        name: the name in logs.
        dtype: the dtype of the state.
    """

    direction = "up"
    counts = ("true_negatives",)


@METRICS.register()
class FalseNegatives(_Count):
    """The number, or the sum of the weights, of labels 1 with a score not above the threshold.

    Args:
        thresholds: one or several numbers in [0, 1]; 0.5 by default.
        name: the name in logs.
        dtype: the dtype of the state.
    """

    direction = "down"
    counts = ("false_negatives",)
