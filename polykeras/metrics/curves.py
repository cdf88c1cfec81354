"""Metrics over all thresholds: areas under curves, and one rate at a given value of another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras import config, ops
from polykeras.backend.spec import Array
from polykeras.common import budget
from polykeras.common.arguments import one_of, positive_int
from polykeras.common.types import ArrayLike, DTypeLike
from polykeras.metrics.confusion import ConfusionMetric, share
from polykeras.metrics.metric import METRICS
from polykeras.metrics.thresholds import from_each, sums_between
from polykeras.variables import Variable

CURVES = ("ROC", "PR", "PRGAIN")
SUMMATIONS = ("interpolation", "minoring", "majoring")


class CurveMetric(ConfusionMetric):
    """Base class of metrics over ascending thresholds, which count each score once, between two thresholds.

    Other metrics keep sums over the scores above each threshold. Here these sums are computed on demand, so samples are
    not compared with all thresholds. They are arrays, computed each time; the state is `between`.

    Attributes:
        between: sums of weights. The first axis is the number of thresholds that the score exceeds, the last one the
            label, 0 or 1. If labels are counted separately, there is an axis of labels between.
    """

    between: Variable

    def _add_between(self, *labels: int) -> None:
        self.between = self.add_variable((len(self.thresholds) + 1, *labels, 2), name="between")

    def _scores(self, y_pred: ArrayLike) -> Array:
        return ops.minimum(ops.maximum(y_pred, 0.0), 1.0)

    def _add(self, scores: Array, truth: Array, weight: Array) -> None:
        sums = sums_between(scores, truth, weight, np.array(self.thresholds))
        # The batch is summed first: added one by one, small numbers would be lost in a large state.
        sums = ops.cast(ops.reshape(sums, self.between.shape), self.dtype)
        self.between.assign(self.between + sums)

    @property
    def true_positives(self) -> Array:
        """Sums of weights with label 1 and a score above each threshold, `(thresholds,)` or `(thresholds, labels)`."""
        return from_each(self.between[..., 1])[1:]

    @property
    def false_positives(self) -> Array:
        """The same for label 0."""
        return from_each(self.between[..., 0])[1:]

    @property
    def false_negatives(self) -> Array:
        """The same for label 1 and scores that are not above the threshold."""
        return ops.cumsum(self.between[..., 1], 0)[:-1]

    @property
    def true_negatives(self) -> Array:
        """The same for label 0 and scores that are not above the threshold."""
        return ops.cumsum(self.between[..., 0], 0)[:-1]


@METRICS.register()
class AUC(CurveMetric):
    """The area under a curve, traced by thresholds between 0 and 1.

    Args:
        num_thresholds: the number of thresholds, evenly spaced; more thresholds are more exact.
        curve: `"ROC"` (true over false positive rate), `"PR"` (precision over recall), or `"PRGAIN"` (their gains:
            P. Flach and M. Kull, "Precision-Recall-Gain Curves", 2015).
        summation_method: the height of the curve between two points: `"interpolation"` (their mean; for `"PR"` the
            formula of J. Davis and M. Goadrich, "The Relationship Between Precision-Recall and ROC Curves", 2006),
            `"minoring"` (the lower one) or `"majoring"` (the higher one).
        name: the name in logs.
        dtype: the dtype of the state.
        thresholds: numbers in [0, 1] that replace `num_thresholds`.
        multi_label: whether each index of the last axis has its own curve; the result is the mean of the areas.
        num_labels: the size of that axis, if it is known in advance.
        label_weights: weights of the labels: with `multi_label` in the mean of the areas, otherwise of the samples.
        from_logits: whether predictions are logits instead of probabilities.

    Raises:
        ValueError: if the curve or the summation method is unknown, or a threshold is out of range.
    """

    direction = "up"

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: DTypeLike = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Sequence[float] | None = None,
        from_logits: bool = False,
    ) -> None:
        inner = _inner_thresholds(num_thresholds, thresholds)
        epsilon = config.epsilon()
        # Ends beyond 0 and 1: all scores are above the first, none is above the last.
        super().__init__([-epsilon, *inner, 1.0 + epsilon], name=name, dtype=dtype)
        self.curve = one_of(curve.upper(), CURVES, "AUC: curve")
        self.summation_method = one_of(summation_method.lower(), SUMMATIONS, "AUC: summation_method")
        if num_labels and not multi_label:
            raise ValueError("AUC: num_labels goes with multi_label=True.")
        self.num_thresholds = len(self.thresholds)
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = None if label_weights is None else [float(w) for w in label_weights]
        self.from_logits = from_logits
        self._init_thresholds = None if thresholds is None else inner
        self.built = not multi_label or num_labels is not None
        if self.built:
            self._add_between(*([num_labels] if num_labels else []))

    def _scores(self, y_pred: ArrayLike) -> Array:
        return super()._scores(ops.sigmoid(y_pred) if self.from_logits else y_pred)

    def _count(self, scores: Array, truth: Array, weight: Array, labels: int = 1) -> None:
        if self.multi_label:
            shape = ops.shape(scores)
            if len(shape) != 2:
                raise ValueError(f"AUC: multi_label takes predictions (batch, labels); received shape {shape}.")
            if not self.built:
                self._add_between(shape[1])
                self.built = True
            labels = self.between.shape[1]
            if shape[1] != labels:
                raise ValueError(
                    f"AUC: expected predictions (batch, {labels}), as num_labels or the first batch says; received "
                    f"shape {shape}."
                )
        elif self.label_weights is not None:
            weight = weight * self._label_weights()
        super()._count(scores, truth, weight, labels)

    def _label_weights(self) -> Any:
        return ops.convert_to_tensor(self.label_weights, self.dtype)

    def result(self) -> Array:
        """Return the area, a scalar."""
        if not self.built:
            return ops.zeros(())
        areas = ops.sum(self._areas(), axis=0)
        if not self.multi_label:
            return areas
        if self.label_weights is None:
            return ops.mean(areas)
        weights = self._label_weights()
        return ops.divide_no_nan(ops.sum(areas * weights), ops.sum(weights))

    def _areas(self) -> Array:
        """Return the areas between neighbouring thresholds."""
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._interpolated_precision()
        x, y = {"ROC": self._roc, "PR": self._precision_recall, "PRGAIN": self._gains}[self.curve]()
        if self.summation_method == "interpolation":
            heights = (y[:-1] + y[1:]) / 2.0
        else:
            heights = (ops.minimum if self.summation_method == "minoring" else ops.maximum)(y[:-1], y[1:])
        return (x[:-1] - x[1:]) * heights

    def _roc(self) -> tuple[Any, Any]:
        return share(self.false_positives, self.true_negatives), share(self.true_positives, self.false_negatives)

    def _precision_recall(self) -> tuple[Any, Any]:
        tp = self.true_positives
        return share(tp, self.false_negatives), share(tp, self.false_positives)

    def _gains(self) -> tuple[Any, Any]:
        tp, fn, fp = self.true_positives, self.false_negatives, self.false_positives
        odds = ops.divide_no_nan(tp + fn, self.true_negatives + fp)
        recall = 1.0 - odds * ops.divide_no_nan(fn, tp)
        precision = 1.0 - odds * ops.divide_no_nan(fp, tp)
        none = ops.equal(tp, 0.0)
        return ops.maximum(ops.where(none, 0.0, recall), 0.0), ops.where(none, 1.0, precision)

    def _interpolated_precision(self) -> Any:
        """Return areas under precision over recall, with true and all positives linear between two thresholds.

        With `tp = intercept + slope * p`, the integral of `tp / p` over `tp` is
        `slope * (tp_a - tp_b + intercept * log(p_a / p_b))`.
        """
        tp = self.true_positives
        p = tp + self.false_positives
        gained = tp[:-1] - tp[1:]
        slope = ops.divide_no_nan(gained, ops.maximum(p[:-1] - p[1:], 0.0))
        intercept = tp[1:] - slope * p[1:]
        several = ops.logical_and(ops.greater(p[:-1], 0.0), ops.greater(p[1:], 0.0))
        ratio = ops.where(several, ops.divide_no_nan(p[:-1], p[1:]), 1.0)
        area = slope * (gained + intercept * ops.log(ratio))
        return ops.divide_no_nan(area, tp[1:] + self.false_negatives[1:])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        return super().get_config() | {"thresholds": self._init_thresholds}


def _inner_thresholds(num_thresholds: int, thresholds: Sequence[float] | None) -> list[float]:
    if thresholds is None:
        if positive_int(num_thresholds, "num_thresholds") < 2:
            raise ValueError(f"AUC: num_thresholds must be at least 2; received {num_thresholds}.")
        budget.spend(num_thresholds)
        return [i / (num_thresholds - 1) for i in range(1, num_thresholds - 1)]
    values = sorted(float(t) for t in thresholds)
    if any(not 0.0 <= t <= 1.0 for t in values):
        raise ValueError(f"AUC: thresholds must be numbers in [0, 1]; received {thresholds!r}.")
    return values
