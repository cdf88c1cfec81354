"""The best value of one rate where another is at least a given value."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common import budget
from polykeras.common.arguments import positive_int
from polykeras.common.types import DTypeLike
from polykeras.metrics.confusion import share
from polykeras.metrics.curves import CurveMetric
from polykeras.metrics.metric import METRICS


class _BestAt(CurveMetric):
    """The largest value of one rate over the thresholds at which another is at least `value`.

    Args:
        value: the least value of the other rate, in [0, 1].
        num_thresholds: the number of thresholds, evenly spaced from 0 to 1; a single one is 0.5.
        class_id: if given, only that index of the last axis counts.
        name: the name in logs.
        dtype: the dtype of the state.
    """

    direction = "up"

    def __init__(
        self, value: float, num_thresholds: int, class_id: int | None, name: str | None, dtype: DTypeLike
    ) -> None:
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{type(self).__name__} takes a rate in [0, 1]; received {value}.")
        count = positive_int(num_thresholds, "num_thresholds", self)
        budget.spend(count)
        thresholds = [i / (count - 1) for i in range(count)] if count > 1 else [0.5]
        super().__init__(thresholds, class_id=class_id, name=name, dtype=dtype)
        self.num_thresholds = num_thresholds
        self._value = value
        self._add_between()

    def _precision(self) -> Any:
        return share(self.true_positives, self.false_positives)

    def _recall(self) -> Any:
        return share(self.true_positives, self.false_negatives)

    def _specificity(self) -> Any:
        return share(self.true_negatives, self.false_positives)

    def _best(self, given: Any, wanted: Any) -> Any:
        return ops.max(ops.where(ops.greater_equal(given, self._value), wanted, 0.0))


@METRICS.register()
class SensitivityAtSpecificity(_BestAt):
    """The best true positive rate where the true negative rate is at least `specificity`.

    Args:
        specificity: the least specificity, in [0, 1].
        num_thresholds: the number of thresholds, evenly spaced from 0 to 1.
        class_id: if given, only that index of the last axis counts.
        name: the name in logs.
        dtype: the dtype of the state.
    """

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype)
        self.specificity = specificity

    def result(self) -> Array:
        """Return the rate."""
        return self._best(self._specificity(), self._recall())


@METRICS.register()
class SpecificityAtSensitivity(_BestAt):
    """The best true negative rate where the true positive rate is at least `sensitivity`.

    Args:
        sensitivity: the least sensitivity, in [0, 1].
        num_thresholds: the number of thresholds, evenly spaced from 0 to 1.
        class_id: if given, only that index of the last axis counts.
        name: the name in logs.
        dtype: the dtype of the state.
    """

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)
        self.sensitivity = sensitivity

    def result(self) -> Array:
        """Return the rate."""
        return self._best(self._recall(), self._specificity())


@METRICS.register()
class PrecisionAtRecall(_BestAt):
    """The best precision where recall is at least `recall`.

    Args:
        recall: the least recall, in [0, 1].
        num_thresholds: the number of thresholds, evenly spaced from 0 to 1.
        class_id: if given, only that index of the last axis counts.
        name: the name in logs.
        dtype: the dtype of the state.
    """

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype)
        self.recall = recall

    def result(self) -> Array:
        """Return the precision."""
        return self._best(self._recall(), self._precision())


@METRICS.register()
class RecallAtPrecision(_BestAt):
    """The best recall where precision is at least `precision`.

    Args:
        precision: the least precision, in [0, 1].
        num_thresholds: the number of thresholds, evenly spaced from 0 to 1.
        class_id: if given, only that index of the last axis counts.
        name: the name in logs.
        dtype: the dtype of the state.
    """

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype)
        self.precision = precision

    def result(self) -> Array:
        """Return the recall."""
        return self._best(self._precision(), self._recall())
