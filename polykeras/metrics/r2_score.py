"""The coefficient of determination."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike, DTypeLike
from polykeras.losses.labels import floats
from polykeras.losses.reduction import left_aligned
from polykeras.metrics.mean import sample_weights
from polykeras.metrics.metric import METRICS, Metric

AGGREGATIONS = (None, "uniform_average", "variance_weighted_average")


@METRICS.register()
class R2Score(Metric):
    """The coefficient of determination: the fraction of the labels' variance that predictions explain, at best 1.

    Args:
        class_aggregation: how to combine the scores of the columns: `"uniform_average"`,
            `"variance_weighted_average"`, or None for a vector of scores.
        num_regressors: the number of independent regressors, for the adjusted score. With 0, or too few labels, the
            plain score is returned.
        name: the name in logs.
        dtype: the dtype of the state.

    Raises:
        ValueError: if the aggregation is unknown, or a number is negative.
    """

    direction = "up"

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str = "r2_score",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(dtype, name)
        if class_aggregation not in AGGREGATIONS:
            known = ", ".join(map(repr, AGGREGATIONS))
            raise ValueError(f"R2Score: class_aggregation must be one of {known}; received {class_aggregation!r}.")
        if num_regressors < 0:
            raise ValueError(f"R2Score: num_regressors must not be negative; received {num_regressors}.")
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors
        self.num_samples = self.add_variable((), name="num_samples")
        self.built = False

    def _build(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 2:
            raise ValueError(f"R2Score takes labels and predictions (batch, outputs); received shape {shape}.")
        self.sum = self.add_variable(shape[1:], name="sum")
        self.squared_sum = self.add_variable(shape[1:], name="squared_sum")
        self.total_mse = self.add_variable(shape[1:], name="residual")
        self.count = self.add_variable(shape[1:], name="count")
        self.built = True

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Add a batch.

        Args:
            y_true: labels `(batch, outputs)`.
            y_pred: predictions, in the same shape.
            sample_weight: weights `(batch,)` or `(batch, outputs)`.
        """
        weight, counts = (sample_weights(y_pred, given, self.dtype) for given in (sample_weight, None))
        y_true, y_pred = floats(y_true, ops.cast(y_pred, self.dtype), "R2Score")
        if not self.built:
            self._build(ops.shape(y_true))
        weight = ops.ones_like(y_true) if weight is None else left_aligned(weight, y_true)
        weight = ops.broadcast_to(weight, ops.shape(y_true))
        if counts is not None:  # masked labels are not samples; labels of weight 0 are
            counts = ops.broadcast_to(left_aligned(counts, y_true), ops.shape(y_true))
        self.sum.assign(self.sum + ops.sum(y_true * weight, axis=0))
        self.squared_sum.assign(self.squared_sum + ops.sum(ops.square(y_true) * weight, axis=0))
        self.total_mse.assign(self.total_mse + ops.sum(ops.square(y_true - y_pred) * weight, axis=0))
        self.count.assign(self.count + ops.sum(weight, axis=0))
        self.num_samples.assign(self.num_samples + (ops.size(y_true) * 1.0 if counts is None else ops.sum(counts)))

    def result(self) -> Array:
        """Return the score; 0 for a column of equal labels, and before the first batch."""
        if not self.built:
            return ops.zeros(())
        total = self.squared_sum - ops.divide_no_nan(ops.square(self.sum), self.count)
        known = ops.greater(total, 0.0)
        scores = ops.where(known, 1.0 - ops.divide_no_nan(self.total_mse, total), 0.0)
        if self.class_aggregation == "uniform_average":
            scores = ops.mean(scores)
        elif self.class_aggregation == "variance_weighted_average":
            scores = ops.divide_no_nan(ops.sum(total * scores), ops.sum(total))
        return self._adjusted(scores) if self.num_regressors else scores

    def _adjusted(self, scores: Array) -> Any:
        rest = self.num_samples - (self.num_regressors + 1.0)
        adjusted = 1.0 - (1.0 - scores) * ops.divide_no_nan(self.num_samples - 1.0, rest)
        return ops.where(ops.greater(rest, 0.0), adjusted, scores)
