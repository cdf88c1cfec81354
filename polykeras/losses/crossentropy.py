"""Cross-entropies of two classes, of one-hot labels, and of class numbers."""

from __future__ import annotations

import warnings
from typing import Any

from polykeras import dtypes, ops
from polykeras.backend.spec import Array
from polykeras.common import logits
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


@LOSSES.register("bce", "BCE")
def binary_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    """Return the mean over `axis` of `-y log(p) - (1 - y) log(1 - p)`.

    Args:
        y_true: labels in [0, 1].
        y_pred: probabilities; with `from_logits`, their logits.
        from_logits: see `y_pred`.
        label_smoothing: a number in [0, 1] that moves labels toward one half.
        axis: the axis of the mean.
    """
    y_true, y_pred = floats(y_true, y_pred, "binary_crossentropy")
    y_true = smooth_binary(y_true, label_smoothing)
    return ops.mean(ops.binary_crossentropy(y_true, y_pred, from_logits=from_logits), axis=axis)


@LOSSES.register()
def categorical_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    """Return `-sum(y_true * log(p))` over the classes.

    Args:
        y_true: one-hot labels or distributions, in the shape of the predictions.
        y_pred: probabilities; with `from_logits`, their logits. If `activations.softmax` made the probabilities in the
            same step or function, its logits are used.
        from_logits: see `y_pred`.
        label_smoothing: a number in [0, 1] that moves labels toward the uniform distribution.
        axis: the axis of the classes.

    Raises:
        ValueError: if the labels have another shape.
    """
    name = "categorical_crossentropy (one-hot labels; class numbers go with sparse_categorical_crossentropy)"
    y_true, y_pred = floats(y_true, y_pred, name)
    y_true = smooth_classes(y_true, label_smoothing, axis)
    y_pred, from_logits = _logits_if_known(y_pred, from_logits, axis)
    return ops.categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)


@LOSSES.register()
def sparse_categorical_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
    label_smoothing: float = 0.0,
) -> Array:
    """Return `-log(p)` of the true class.

    Args:
        y_true: class numbers, in the shape of the predictions without the axis of the classes (or with size 1 there).
        y_pred: probabilities; with `from_logits`, their logits. If `activations.softmax` made the probabilities in the
            same step or function, its logits are used.
        from_logits: see `y_pred`.
        ignore_class: a class number whose samples have the loss 0.
        axis: the axis of the classes.
        label_smoothing: a number in [0, 1] that moves labels toward the uniform distribution.

    Raises:
        ValueError: if the labels have another shape.
    """
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = class_numbers(y_true, y_pred, axis, "sparse_categorical_crossentropy")
    y_pred, from_logits = _logits_if_known(y_pred, from_logits, axis)
    valid = None if ignore_class is None else ops.not_equal(y_true, ignore_class)
    classes = y_true if valid is None else ops.where(valid, y_true, ops.zeros_like(y_true))
    loss = ops.sparse_categorical_crossentropy(classes, y_pred, from_logits=from_logits, axis=axis)
    if label_smoothing:
        equal_shares = ops.full_like(y_pred, 1.0 / ops.shape(y_pred)[axis])
        other = ops.categorical_crossentropy(equal_shares, y_pred, from_logits=from_logits, axis=axis)
        loss = loss * (1.0 - label_smoothing) + other * label_smoothing
    return loss if valid is None else ops.where(valid, loss, ops.zeros_like(loss))


@LOSSES.register()
def categorical_generalized_cross_entropy(y_true: ArrayLike, y_pred: ArrayLike, q: float) -> Array:
    """Return `(1 - p**q) / q` with the probability `p` of the true class.

    It lies between the cross-entropy (`q` near 0) and the absolute error (`q` near 1): wrong labels have less effect.

    Source: Zhang and Sabuncu, "Generalized Cross Entropy Loss", 2018, https://arxiv.org/abs/1805.07836.

    Args:
        y_true: class numbers, in the shape of the predictions without the last axis (or with size 1 there).
        y_pred: probabilities, the classes along the last axis.
        q: a number in (0, 1).
    """
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = class_numbers(y_true, y_pred, -1, "categorical_generalized_cross_entropy")
    y_pred = ops.cast(y_pred, dtypes.float_type(ops.dtype(y_pred)))
    chosen = ops.sum(y_pred * ops.one_hot(y_true, ops.shape(y_pred)[-1], dtype=ops.dtype(y_pred)), axis=-1)
    return (1.0 - ops.power(chosen, q)) / q


def _logits_if_known(y_pred: ArrayLike, from_logits: bool, axis: int) -> tuple[Any, bool]:
    """Return logits and True if a softmax made the predictions from known logits; else the arguments."""
    known = logits.of(y_pred, axis)
    if known is None:
        return y_pred, from_logits
    if from_logits:
        warnings.warn(
            "A cross-entropy with from_logits=True received the output of a softmax: expected logits, received "
            "probabilities, to which another softmax is applied. Leave out `from_logits`, or the softmax.",
            UserWarning,
            stacklevel=2,
        )
        return y_pred, True
    return known, True


@LOSSES.register()
class BinaryCrossentropy(BinaryLabelsLoss, fn=binary_crossentropy):
    """The cross-entropy of two classes.

    Args:
        from_logits: whether predictions are logits instead of probabilities.
        label_smoothing: a number in [0, 1] that moves labels toward one half.
        axis: the axis of the mean.
        reduction: see `Loss`.
        name: the name in logs.
        dtype: see `Loss`.
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "binary_crossentropy",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis


@LOSSES.register()
class CategoricalCrossentropy(FunctionLoss, fn=categorical_crossentropy):
    """The cross-entropy of one-hot labels.

    Args:
        from_logits: whether predictions are logits instead of probabilities.
        label_smoothing: a number in [0, 1] that moves labels toward the uniform distribution.
        axis: the axis of the classes.
        reduction: see `Loss`.
        name: the name in logs.
        dtype: see `Loss`.
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_crossentropy",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis


@LOSSES.register()
class SparseCategoricalCrossentropy(ClassNumbersLoss, fn=sparse_categorical_crossentropy):
    """The cross-entropy of class numbers.

    Args:
        from_logits: whether predictions are logits instead of probabilities.
        ignore_class: a class number whose samples do not count.
        reduction: see `Loss`.
        axis: the axis of the classes.
        name: the name in logs.
        dtype: see `Loss`.
        label_smoothing: a number in [0, 1] that moves labels toward the uniform distribution. Give it by its name:
            Keras 3.16 has it before `name`. Earlier releases lack it, and read configs without it.
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str = "sparse_categorical_crossentropy",
        dtype: DTypeLike = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.from_logits = from_logits
        self.ignore_class = ignore_class
        self.axis = axis
        self.label_smoothing = label_smoothing

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`; `label_smoothing` if it is not 0."""
        made = super().get_config()
        return made if self.label_smoothing else {k: v for k, v in made.items() if k != "label_smoothing"}


@LOSSES.register()
class CategoricalGeneralizedCrossEntropy(FunctionLoss, fn=categorical_generalized_cross_entropy):
    """A cross-entropy for partly wrong labels (Zhang and Sabuncu, 2018).

    Args:
        q: a number in (0, 1): near 0 like the cross-entropy, near 1 like the absolute error.
        reduction: see `Loss`.
        name: the name in logs.
        dtype: see `Loss`.

    Raises:
        ValueError: if `q` is out of range.
    """

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_generalized_cross_entropy",
        dtype: DTypeLike = None,
    ) -> None:
        if not 0 < q < 1:
            raise ValueError(f"CategoricalGeneralizedCrossEntropy: `q` must lie in (0, 1); received {q!r}.")
        super().__init__(reduction, name, dtype)
        self.q = q
