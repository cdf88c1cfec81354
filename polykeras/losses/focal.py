"""Focal cross-entropies, in which easy samples have less weight."""

from __future__ import annotations

from polykeras import config, ops
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike, DTypeLike
from polykeras.losses.labels import (
    BinaryLabelsLoss,
    ClassNumbersLoss,
    class_numbers,
    floats,
    smooth_binary,
    smooth_classes,
)
from polykeras.losses.loss import LOSSES, FunctionLoss


@LOSSES.register()
def binary_focal_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """Return the mean over `axis` of the binary cross-entropy times `(1 - p_true)**gamma`.

    Source: Lin et al., "Focal Loss for Dense Object Detection", 2017, https://arxiv.org/abs/1708.02002.

    Args:
        y_true: labels in [0, 1].
        y_pred: probabilities, or logits.
        apply_class_balancing: whether to weight the classes 1 and 0 by `alpha` and `1 - alpha`.
        alpha: the weight of class 1.
        gamma: the exponent that reduces the weight of easy samples.
        from_logits: whether `y_pred` holds logits.
        label_smoothing: a number in [0, 1] that moves labels toward one half.
        axis: the axis of the mean.
    """
    y_true, y_pred = floats(y_true, y_pred, "binary_focal_crossentropy")
    y_true = smooth_binary(y_true, label_smoothing)
    # A factor of exactly 0 would have an infinite gradient for gamma < 1.
    p = ops.clip(ops.sigmoid(y_pred) if from_logits else y_pred, config.epsilon(), 1.0 - config.epsilon())
    loss = ops.binary_crossentropy(y_true, y_pred, from_logits=from_logits)
    p_true = y_true * p + (1.0 - y_true) * (1.0 - p)
    loss = ops.power(1.0 - p_true, gamma) * loss
    if apply_class_balancing:
        loss = (y_true * alpha + (1.0 - y_true) * (1.0 - alpha)) * loss
    return ops.mean(loss, axis=axis)


@LOSSES.register()
def categorical_focal_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    alpha: ArrayLike = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """Return the categorical cross-entropy times `alpha * (1 - p)**gamma`, class by class.

    Source: Lin et al., "Focal Loss for Dense Object Detection", 2017, https://arxiv.org/abs/1708.02002.

    Args:
        y_true: one-hot labels, in the shape of the predictions.
        y_pred: probabilities, or logits.
        alpha: a factor, or one for each class, which broadcasts to the predictions.
        gamma: the exponent that reduces the weight of easy samples.
        from_logits: whether `y_pred` holds logits.
        label_smoothing: a number in [0, 1] that moves labels toward the uniform distribution.
        axis: the axis of the classes.
    """
    y_true, y_pred = floats(y_true, y_pred, "categorical_focal_crossentropy")
    y_true = smooth_classes(y_true, label_smoothing, axis)
    p = ops.softmax(y_pred, axis=axis) if from_logits else y_pred / ops.sum(y_pred, axis=axis, keepdims=True)
    p = ops.clip(p, config.epsilon(), 1.0 - config.epsilon())
    logs = ops.log_softmax(y_pred, axis=axis) if from_logits else ops.log(p)
    alpha = ops.convert_to_tensor(alpha, ops.dtype(y_pred))
    return ops.sum(-y_true * logs * alpha * ops.power(1.0 - p, gamma), axis=axis)


@LOSSES.register()
def sparse_categorical_focal_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    alpha: ArrayLike = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Array:
    """Return the cross-entropy of the true class times `alpha * (1 - p)**gamma`.

    Source: Lin et al., "Focal Loss for Dense Object Detection", 2017, https://arxiv.org/abs/1708.02002.

    Args:
        y_true: class numbers, in the shape of the predictions without the axis of the classes (or with size 1 there).
            The loss of a number that is no class is nan.
        y_pred: probabilities, or logits.
        alpha: a factor, or one for each class.
        gamma: the exponent that reduces the weight of easy samples.
        from_logits: whether `y_pred` holds logits.
        ignore_class: a class number whose samples have the loss 0.
        axis: the axis of the classes.

    Raises:
        ValueError: if the labels have another shape, or `alpha` another length.
    """
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = class_numbers(y_true, y_pred, axis, "sparse_categorical_focal_crossentropy")
    count = ops.shape(y_pred)[axis]
    known = ops.logical_and(y_true >= 0, y_true < count)
    classes = ops.where(known, y_true, ops.zeros_like(y_true))
    loss = ops.sparse_categorical_crossentropy(classes, y_pred, from_logits=from_logits, axis=axis)
    # A factor of exactly 0 would have an infinite gradient for gamma < 1.
    others = ops.clip(-ops.expm1(-loss), config.epsilon(), 1.0 - config.epsilon())
    alpha = ops.convert_to_tensor(alpha, ops.dtype(loss))
    if ops.shape(alpha):
        if ops.shape(alpha) != (count,):
            raise ValueError(
                "sparse_categorical_focal_crossentropy: `alpha` must be a number, or one for each of "
                f"{count} classes; received the shape {ops.shape(alpha)}."
            )
        alpha = ops.take(alpha, classes)
    loss = ops.where(known, alpha * ops.power(others, gamma) * loss, float("nan"))
    return loss if ignore_class is None else ops.where(ops.equal(y_true, ignore_class), 0.0, loss)


@LOSSES.register()
class BinaryFocalCrossentropy(BinaryLabelsLoss, fn=binary_focal_crossentropy):
    """The cross-entropy of two classes, with less weight for easy samples (Lin et al., 2017).

    Args:
        apply_class_balancing: whether to weight the classes 1 and 0 by `alpha` and `1 - alpha`.
        alpha: the weight of class 1.
        gamma: the exponent that reduces the weight of easy samples.
        from_logits: whether predictions are logits.
        label_smoothing: a number in [0, 1] that moves labels toward one half.
        axis: the axis of the mean.
        reduction: see `Loss`.
        name: the name in logs.
        dtype: see `Loss`.
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "binary_focal_crossentropy",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.apply_class_balancing = apply_class_balancing
        self.alpha = alpha
        self.gamma = gamma
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis


@LOSSES.register()
class CategoricalFocalCrossentropy(FunctionLoss, fn=categorical_focal_crossentropy):
    """The cross-entropy of one-hot labels, with less weight for easy samples (Lin et al., 2017).

    Args:
        alpha: a factor, or one for each class, which broadcasts to the predictions.
        gamma: the exponent that reduces the weight of easy samples.
        from_logits: whether predictions are logits.
        label_smoothing: a number in [0, 1] that moves labels toward the uniform distribution.
        axis: the axis of the classes.
        reduction: see `Loss`.
        name: the name in logs.
        dtype: see `Loss`.
    """

    def __init__(
        self,
        alpha: ArrayLike = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_focal_crossentropy",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.alpha = alpha
        self.gamma = gamma
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis


@LOSSES.register()
class SparseCategoricalFocalCrossentropy(ClassNumbersLoss, fn=sparse_categorical_focal_crossentropy):
    """The cross-entropy of class numbers, with less weight for easy samples (Lin et al., 2017).

    Args:
        alpha: a factor, or one for each class.
        gamma: the exponent that reduces the weight of easy samples.
        from_logits: whether predictions are logits.
        ignore_class: a class number whose samples do not count.
        axis: the axis of the classes.
        reduction: see `Loss`.
        name: the name in logs.
        dtype: see `Loss`.
    """

    def __init__(
        self,
        alpha: ArrayLike = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "sparse_categorical_focal_crossentropy",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.alpha = alpha
        self.gamma = gamma
        self.from_logits = from_logits
        self.ignore_class = ignore_class
        self.axis = axis
