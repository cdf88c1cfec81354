"""Losses of predictions that are classes or probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import config, dtypes, ops
from polykeras.losses.loss import LOSSES, FunctionLoss
from polykeras.losses.regression import floats


def _smooth_binary(y_true: Any, label_smoothing: float) -> Any:
    return y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing if label_smoothing else y_true


def _smooth_classes(y_true: Any, label_smoothing: float, axis: int) -> Any:
    if not label_smoothing:
        return y_true
    return y_true * (1.0 - label_smoothing) + label_smoothing / ops.shape(y_true)[axis]


@LOSSES.register("bce", "BCE")
def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """Return the mean over `axis` of `-y log(p) - (1 - y) log(1 - p)`.

    Args:
        y_true: labels in [0, 1].
        y_pred: probabilities, or with `from_logits` numbers whose sigmoid they are.
        from_logits: see `y_pred`.
        label_smoothing: in [0, 1]: moves labels toward one half.
        axis: the axis of the mean.
    """
    y_true, y_pred = floats(y_true, y_pred, "binary_crossentropy")
    y_true = _smooth_binary(y_true, label_smoothing)
    return ops.mean(ops.binary_crossentropy(y_true, y_pred, from_logits=from_logits), axis=axis)


@LOSSES.register()
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Return the binary cross-entropy times `(1 - p_true)**gamma`, the mean over `axis`.

    Source: Lin et al., "Focal Loss for Dense Object Detection", 2017, https://arxiv.org/abs/1708.02002.

    Args:
        y_true: labels in [0, 1].
        y_pred: probabilities, or logits.
        apply_class_balancing: weigh the classes 1 and 0 by `alpha` and `1 - alpha`.
        alpha: see above.
        gamma: how much easy samples count less.
        from_logits: whether `y_pred` holds logits.
        label_smoothing: in [0, 1]: moves labels toward one half.
        axis: the axis of the mean.
    """
    y_true, y_pred = floats(y_true, y_pred, "binary_focal_crossentropy")
    y_true = _smooth_binary(y_true, label_smoothing)
    # A factor of exactly 0 would have an infinite gradient for gamma < 1.
    p = ops.clip(ops.sigmoid(y_pred) if from_logits else y_pred, config.epsilon(), 1.0 - config.epsilon())
    loss = ops.binary_crossentropy(y_true, y_pred, from_logits=from_logits)
    p_true = y_true * p + (1.0 - y_true) * (1.0 - p)
    loss = ops.power(1.0 - p_true, gamma) * loss
    if apply_class_balancing:
        loss = (y_true * alpha + (1.0 - y_true) * (1.0 - alpha)) * loss
    return ops.mean(loss, axis=axis)


@LOSSES.register()
def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """Return `-sum(y_true * log(p))` over the classes.

    Args:
        y_true: one-hot labels or distributions, in the shape of the predictions.
        y_pred: probabilities, or with `from_logits` numbers whose softmax they are.
        from_logits: see `y_pred`.
        label_smoothing: in [0, 1]: moves labels toward the uniform distribution.
        axis: the axis of the classes.

    Raises:
        ValueError: labels of another shape.
    """
    name = "categorical_crossentropy (one-hot labels; class numbers go with sparse_categorical_crossentropy)"
    y_true, y_pred = floats(y_true, y_pred, name)
    y_true = _smooth_classes(y_true, label_smoothing, axis)
    return ops.categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)


@LOSSES.register()
def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Return the categorical cross-entropy times `alpha * (1 - p)**gamma`, class by class.

    Source: Lin et al., "Focal Loss for Dense Object Detection", 2017, https://arxiv.org/abs/1708.02002.

    Args:
        y_true: one-hot labels, in the shape of the predictions.
        y_pred: probabilities, or logits.
        alpha: a factor.
        gamma: how much easy samples count less.
        from_logits: whether `y_pred` holds logits.
        label_smoothing: in [0, 1]: moves labels toward the uniform distribution.
        axis: the axis of the classes.
    """
    y_true, y_pred = floats(y_true, y_pred, "categorical_focal_crossentropy")
    y_true = _smooth_classes(y_true, label_smoothing, axis)
    p = ops.softmax(y_pred, axis=axis) if from_logits else y_pred / ops.sum(y_pred, axis=axis, keepdims=True)
    p = ops.clip(p, config.epsilon(), 1.0 - config.epsilon())
    logs = ops.log_softmax(y_pred, axis=axis) if from_logits else ops.log(p)
    return ops.sum(-y_true * logs * alpha * ops.power(1.0 - p, gamma), axis=axis)


@LOSSES.register()
def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Any:
    """Return `-log(p)` of the true class.

    Args:
        y_true: class numbers, in the shape of the predictions without the axis of the classes (or with size 1 there).
        y_pred: probabilities, or with `from_logits` numbers whose softmax they are.
        from_logits: see `y_pred`.
        ignore_class: a class number whose samples count 0.
        axis: the axis of the classes.

    Raises:
        ValueError: labels of another shape.
    """
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = class_numbers(y_true, y_pred, axis, "sparse_categorical_crossentropy")
    if ignore_class is None:
        return ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)
    valid = ops.not_equal(y_true, ignore_class)
    classes = ops.where(valid, y_true, ops.zeros_like(y_true))
    loss = ops.sparse_categorical_crossentropy(classes, y_pred, from_logits=from_logits, axis=axis)
    return ops.where(valid, loss, ops.zeros_like(loss))


def class_numbers(y_true: Any, y_pred: Any, axis: int, name: str) -> Any:
    """Return labels as int32, in the shape of the predictions without the axis of the classes.

    Args:
        y_true: class numbers, in that shape or with size 1 at that axis.
        y_pred: predictions.
        axis: the axis of the classes.
        name: of the loss or metric, for the message.

    Raises:
        ValueError: labels of another shape.
    """
    y_true = ops.convert_to_tensor(y_true)
    full, shape = ops.shape(y_pred), ops.shape(y_true)
    place = axis % len(full) if full else 0
    expected = full[:place] + full[place + 1 :]
    if len(shape) == len(full) and full and shape[place] == 1:
        y_true = ops.squeeze(y_true, place)
    if ops.shape(y_true) != expected:
        raise ValueError(
            f"{name}: labels must be class numbers of shape {expected} for predictions of shape {full}; received "
            f"labels of shape {shape}. One-hot labels go with {name.removeprefix('sparse_')}."
        )
    return ops.cast(y_true, "int32")


def _signs(y_true: Any, y_pred: Any, name: str) -> tuple[Any, Any]:
    """Return labels as -1 and 1 where they are 0 and 1, and predictions."""
    y_true, y_pred = floats(y_true, y_pred, name)
    is_binary = ops.all(ops.logical_or(ops.equal(y_true, 0.0), ops.equal(y_true, 1.0)))
    return ops.where(is_binary, 2.0 * y_true - 1.0, y_true), y_pred


@LOSSES.register()
def hinge(y_true: Any, y_pred: Any) -> Any:
    """Return `mean(max(1 - y_true * y_pred, 0))` over the last axis, for labels -1 and 1 (or 0 and 1)."""
    y_true, y_pred = _signs(y_true, y_pred, "hinge")
    return ops.mean(ops.maximum(1.0 - y_true * y_pred, 0.0), axis=-1)


@LOSSES.register()
def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """Return `mean(max(1 - y_true * y_pred, 0)**2)` over the last axis, for labels -1 and 1 (or 0 and 1)."""
    y_true, y_pred = _signs(y_true, y_pred, "squared_hinge")
    return ops.mean(ops.square(ops.maximum(1.0 - y_true * y_pred, 0.0)), axis=-1)


@LOSSES.register()
def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """Return `max(1 + best wrong - right, 0)` over the classes, for one-hot labels."""
    y_true, y_pred = floats(y_true, y_pred, "categorical_hinge")
    right = ops.sum(y_true * y_pred, axis=-1)
    wrong = ops.max((1.0 - y_true) * y_pred, axis=-1)
    return ops.maximum(wrong - right + 1.0, 0.0)


def _refuse_outside(labels: np.ndarray, low: float, high: float, loss: str, output: str, hint: str) -> None:
    if not labels.size:
        return
    least, most = labels.min(), labels.max()
    if least < low or most > high:
        raise ValueError(
            f"Labels of the output {output!r} are out of range for {loss}: expected values from {low:g} to {high:g}; "
            f"received {least:g} to {most:g}. {hint}"
        )


class _BinaryLabels(FunctionLoss):
    def check_labels(self, labels: np.ndarray, output_shape: tuple[int | None, ...], output: str) -> None:
        """Refuse labels outside [0, 1]."""
        hint = "Map -1 and 1 to 0 and 1; for class numbers of more classes use sparse_categorical_crossentropy."
        _refuse_outside(labels, 0, 1, self.name, output, hint)


@LOSSES.register()
class BinaryCrossentropy(_BinaryLabels):
    """The cross-entropy of two classes.

    Args:
        from_logits: whether predictions are logits, not probabilities.
        label_smoothing: in [0, 1]: moves labels toward one half.
        axis: the axis of the mean.
        reduction: see `Loss`.
        name: for logs.
        dtype: see `Loss`.
    """

    function = staticmethod(binary_crossentropy)
    parameters = ("from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis


@LOSSES.register()
class BinaryFocalCrossentropy(_BinaryLabels):
    """The cross-entropy of two classes, easy samples weighing less (Lin et al., 2017).

    Args:
        apply_class_balancing: weigh the classes 1 and 0 by `alpha` and `1 - alpha`.
        alpha: see above.
        gamma: how much easy samples count less.
        from_logits: whether predictions are logits.
        label_smoothing: in [0, 1]: moves labels toward one half.
        axis: the axis of the mean.
        reduction: see `Loss`.
        name: for logs.
        dtype: see `Loss`.
    """

    function = staticmethod(binary_focal_crossentropy)
    parameters = ("apply_class_balancing", "alpha", "gamma", "from_logits", "label_smoothing", "axis")

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
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.apply_class_balancing = apply_class_balancing
        self.alpha = alpha
        self.gamma = gamma
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis


@LOSSES.register()
class CategoricalCrossentropy(FunctionLoss):
    """The cross-entropy of one-hot labels.

    Args:
        from_logits: whether predictions are logits, not probabilities.
        label_smoothing: in [0, 1]: moves labels toward the uniform distribution.
        axis: the axis of the classes.
        reduction: see `Loss`.
        name: for logs.
        dtype: see `Loss`.
    """

    function = staticmethod(categorical_crossentropy)
    parameters = ("from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis


@LOSSES.register()
class CategoricalFocalCrossentropy(FunctionLoss):
    """The cross-entropy of one-hot labels, easy samples weighing less (Lin et al., 2017).

    Args:
        alpha: a factor.
        gamma: how much easy samples count less.
        from_logits: whether predictions are logits.
        label_smoothing: in [0, 1]: moves labels toward the uniform distribution.
        axis: the axis of the classes.
        reduction: see `Loss`.
        name: for logs.
        dtype: see `Loss`.
    """

    function = staticmethod(categorical_focal_crossentropy)
    parameters = ("alpha", "gamma", "from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.alpha = alpha
        self.gamma = gamma
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis


@LOSSES.register()
class SparseCategoricalCrossentropy(FunctionLoss):
    """The cross-entropy of labels that are class numbers.

    Args:
        from_logits: whether predictions are logits, not probabilities.
        ignore_class: a class number whose samples do not count.
        reduction: see `Loss`.
        axis: the axis of the classes.
        name: for logs.
        dtype: see `Loss`.
    """

    function = staticmethod(sparse_categorical_crossentropy)
    parameters = ("from_logits", "ignore_class", "axis")

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.from_logits = from_logits
        self.ignore_class = ignore_class
        self.axis = axis

    def compute_mask(self, y_true: Any, y_pred: Any) -> Any:
        """Return which samples are not of the class to ignore."""
        if self.ignore_class is None:
            return None
        return ops.not_equal(class_numbers(y_true, y_pred, self.axis, self.name), self.ignore_class)

    def check_labels(self, labels: np.ndarray, output_shape: tuple[int | None, ...], output: str) -> None:
        """Refuse labels that are no class numbers."""
        classes = output_shape[self.axis]
        counted = labels if self.ignore_class is None else labels[labels != self.ignore_class]
        if classes is not None:
            hint = f"The output has {classes} classes, numbered from 0."
            _refuse_outside(counted, 0, classes - 1, self.name, output, hint)
        if labels.dtype.name in dtypes.FLOATS and (labels != np.floor(labels)).any():
            raise ValueError(
                f"Labels of the output {output!r} must be whole class numbers for {self.name}; received fractions."
            )


@LOSSES.register()
class Hinge(FunctionLoss):
    """`max(1 - y_true * y_pred, 0)`, for labels -1 and 1.

    Args:
        reduction: see `Loss`.
        name: for logs.
        dtype: see `Loss`.
    """

    function = staticmethod(hinge)

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "hinge",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)


@LOSSES.register()
class SquaredHinge(FunctionLoss):
    """`max(1 - y_true * y_pred, 0)**2`, for labels -1 and 1.

    Args:
        reduction: see `Loss`.
        name: for logs.
        dtype: see `Loss`.
    """

    function = staticmethod(squared_hinge)

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "squared_hinge",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)


@LOSSES.register()
class CategoricalHinge(FunctionLoss):
    """The margin between the right class and the best wrong one.

    Args:
        reduction: see `Loss`.
        name: for logs.
        dtype: see `Loss`.
    """

    function = staticmethod(categorical_hinge)

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_hinge",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
