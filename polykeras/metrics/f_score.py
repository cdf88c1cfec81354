"""F-scores: harmonic means of precision and recall."""

from __future__ import annotations

from typing import Any

from polykeras import config, ops
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike, DTypeLike
from polykeras.losses.loss import aligned
from polykeras.losses.reduction import left_aligned
from polykeras.metrics.mean import sample_weights
from polykeras.metrics.metric import METRICS, Metric

AVERAGES = (None, "micro", "macro", "weighted")


@METRICS.register()
class FBetaScore(Metric):
    """`(1 + beta**2) * precision * recall / (beta**2 * precision + recall)` (van Rijsbergen, 1979).

    Args:
        average: None for one score for each class; `"micro"` for one score from the counts of all classes together;
            `"macro"` for the mean over classes; `"weighted"` for the mean weighted by the frequencies of the classes.
        beta: how much more recall counts than precision.
        threshold: scores above it are positive decisions; with None, the largest score of a sample is.
        name: the name in logs.
        dtype: the dtype of the state.

    Raises:
        ValueError: if the average is unknown, or beta or the threshold is out of range.
    """

    direction = "up"

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str = "fbeta_score",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(dtype, name)
        if average not in AVERAGES:
            raise ValueError(f"{type(self).__name__}: average must be one of {AVERAGES}; received {average!r}.")
        if not beta > 0.0:
            raise ValueError(f"{type(self).__name__}: beta must be greater than 0; received {beta!r}.")
        if threshold is not None and not 0.0 < threshold <= 1.0:
            raise ValueError(f"{type(self).__name__}: threshold must lie in (0, 1]; received {threshold!r}.")
        self.average = average
        self.beta = beta
        self.threshold = threshold
        self.built = False

    def _build(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 2:
            raise ValueError(
                f"{type(self).__name__} takes labels and predictions (batch, classes); received shape {shape}."
            )
        shape = () if self.average == "micro" else shape[1:]
        self.true_positives = self.add_variable(shape, dtype=self.dtype, name="true_positives")
        self.false_positives = self.add_variable(shape, dtype=self.dtype, name="false_positives")
        self.false_negatives = self.add_variable(shape, dtype=self.dtype, name="false_negatives")
        self.intermediate_weights = self.add_variable(shape, dtype=self.dtype, name="intermediate_weights")
        self.built = True

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Add a batch.

        Args:
            y_true: labels 0 and 1, `(batch, classes)`.
            y_pred: scores, in the same shape.
            sample_weight: weights `(batch,)`.
        """
        weight = sample_weights(y_pred, sample_weight, self.dtype)
        y_true, y_pred = aligned(ops.cast(y_true, self.dtype), ops.cast(y_pred, self.dtype), type(self).__name__)
        if not self.built:
            self._build(ops.shape(y_true))
        decided = ops.cast(self._decisions(y_pred), self.dtype)
        axis = None if self.average == "micro" else 0

        def total(counts: Any) -> Array:
            return ops.sum(counts if weight is None else counts * left_aligned(weight, counts), axis=axis)

        self.true_positives.assign(self.true_positives + total(decided * y_true))
        self.false_positives.assign(self.false_positives + total(decided * (1.0 - y_true)))
        self.false_negatives.assign(self.false_negatives + total((1.0 - decided) * y_true))
        self.intermediate_weights.assign(self.intermediate_weights + total(y_true))

    def _decisions(self, y_pred: ArrayLike) -> Array:
        if self.threshold is not None:
            return ops.greater(y_pred, self.threshold)
        largest = ops.equal(y_pred, ops.max(y_pred, axis=-1, keepdims=True))
        return ops.logical_and(largest, ops.greater(ops.abs(y_pred), 1e-9))  # a row of zeros decides nothing

    def result(self) -> Array:
        """Return the score: a vector without an average, else a scalar."""
        if not self.built:
            return ops.zeros((), self.dtype)
        epsilon = config.epsilon()
        precision = self.true_positives / (self.true_positives + self.false_positives + epsilon)
        recall = self.true_positives / (self.true_positives + self.false_negatives + epsilon)
        square = self.beta**2
        scores = (1.0 + square) * precision * recall / (square * precision + recall + epsilon)
        if self.average == "weighted":
            support = self.intermediate_weights
            return ops.sum(scores * (support / (ops.sum(support) + epsilon)))
        return scores if self.average is None else ops.mean(scores)


@METRICS.register()
class F1Score(FBetaScore):
    """The harmonic mean of precision and recall.

    Args:
        average: see `FBetaScore`.
        threshold: see `FBetaScore`.
        name: the name in logs.
        dtype: the dtype of the state.
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str = "f1_score",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)
