"""The overlap of predicted and true regions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common import budget
from polykeras.common.types import ArrayLike, DTypeLike
from polykeras.losses.loss import aligned
from polykeras.losses.reduction import left_aligned
from polykeras.metrics.mean import sample_weights
from polykeras.metrics.metric import METRICS, Metric


@METRICS.register()
class IoU(Metric):
    """Intersection over union, `tp / (tp + fp + fn)`, averaged over some classes (Jaccard, 1912).

    Classes that are absent do not count.

    In contrast to Keras, the state has the default float dtype instead of int, so weights need not be integers.

    Args:
        num_classes: the number of classes; other labels and predictions do not count.
        target_class_ids: the classes of the mean.
        name: the name in logs.
        dtype: the dtype of the state.
        ignore_class: a class number whose labels do not count.
        sparse_y_true: whether labels are class numbers; otherwise they are one-hot.
        sparse_y_pred: whether predictions are class numbers; otherwise they are scores.
        axis: the axis of the classes, if there is one.

    Raises:
        ValueError: if a target is not a class.
    """

    direction = "up"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: DTypeLike = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(dtype, name)
        budget.spend(len(target_class_ids))
        if any(not 0 <= i < num_classes for i in target_class_ids):
            raise ValueError(
                f"{type(self).__name__}: target_class_ids must lie in [0, {num_classes}); received {target_class_ids}."
            )
        self.num_classes = num_classes
        self.target_class_ids = list(target_class_ids)
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        self.total_cm = self.add_variable((num_classes, num_classes), name="total_confusion_matrix")

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Add a batch.

        Args:
            y_true: labels.
            y_pred: predictions.
            sample_weight: weights that broadcast to the class numbers from the left.
        """
        weight = sample_weights(y_pred, sample_weight, self.dtype)
        y_true = y_true if self.sparse_y_true else ops.argmax(y_true, axis=self.axis)
        y_pred = y_pred if self.sparse_y_pred else ops.argmax(y_pred, axis=self.axis)
        y_true, y_pred = aligned(ops.cast(y_true, "int32"), ops.cast(y_pred, "int32"), type(self).__name__)
        weight = ops.ones(ops.shape(y_true), self.dtype) if weight is None else left_aligned(weight, y_true)
        weight = ops.broadcast_to(weight, ops.shape(y_true))
        n = self.num_classes
        cell = y_true * n + y_pred
        counts = ops.logical_and(self._known(y_true), self._known(y_pred))
        if self.ignore_class is not None:
            counts = ops.logical_and(counts, ops.not_equal(y_true, self.ignore_class))
        # Segments with other numbers do not count.
        cell = ops.reshape(ops.where(counts, cell, -1), (-1,))
        matrix = ops.segment_sum(ops.reshape(weight, (-1,)), cell, n * n)
        self.total_cm.assign(self.total_cm + ops.reshape(matrix, (n, n)))

    def _known(self, classes: Any) -> Array:
        return ops.logical_and(ops.greater_equal(classes, 0), ops.less(classes, self.num_classes))

    def result(self) -> Array:
        """Return the mean, a scalar; 0 if no target class was seen."""
        matrix = self.total_cm.value
        both = ops.diagonal(matrix)
        union = ops.sum(matrix, axis=0) + ops.sum(matrix, axis=1) - both
        targets = ops.convert_to_tensor(self.target_class_ids, "int32")
        both, union = ops.take(both, targets), ops.take(union, targets)
        seen = ops.cast(ops.greater(union, 1e-9), self.dtype)
        return ops.divide_no_nan(ops.sum(ops.divide_no_nan(both, union) * seen), ops.sum(seen))


@METRICS.register()
class BinaryIoU(IoU):
    """Intersection over union of labels 0 and 1 and scores.

    Args:
        target_class_ids: the classes of the mean: 0, 1 or both.
        threshold: scores of at least this value belong to class 1.
        name: the name in logs.
        dtype: the dtype of the state.
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Add a batch; arguments are as for `IoU`, with scores as `y_pred`."""
        weight = sample_weights(y_pred, sample_weight, self.dtype)
        super().update_state(y_true, ops.greater_equal(y_pred, self.threshold), weight)


@METRICS.register()
class MeanIoU(IoU):
    """Intersection over union, averaged over all classes.

    Args:
        num_classes: the number of classes.
        name: the name in logs.
        dtype: the dtype of the state.
        ignore_class: a class number whose labels do not count.
        sparse_y_true: whether labels are class numbers; otherwise they are one-hot.
        sparse_y_pred: whether predictions are class numbers; otherwise they are scores.
        axis: the axis of the classes, if there is one.
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: DTypeLike = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, range(num_classes), name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)


@METRICS.register()
class OneHotIoU(IoU):
    """Intersection over union of one-hot labels, averaged over some classes.

    Args:
        num_classes: the number of classes.
        target_class_ids: the classes of the mean.
        name: the name in logs.
        dtype: the dtype of the state.
        ignore_class: a class number whose labels do not count.
        sparse_y_pred: whether predictions are class numbers; otherwise they are scores.
        axis: the axis of the classes.
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: DTypeLike = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)


@METRICS.register()
class OneHotMeanIoU(MeanIoU):
    """Intersection over union of one-hot labels, averaged over all classes.

    Args:
        num_classes: the number of classes.
        name: the name in logs.
        dtype: the dtype of the state.
        ignore_class: a class number whose labels do not count.
        sparse_y_pred: whether predictions are class numbers; otherwise they are scores.
        axis: the axis of the classes.
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: DTypeLike = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)
