"""Cross-entropies of two classes, of one-hot labels, and of class numbers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from polykeras import dtypes, ops
from polykeras.backend.spec import Array
from polykeras.common import logits
from polykeras.common.types import ArrayLike, DTypeLike
from polykeras.losses.labels import (
    BinaryLabelsLoss,
    class_numbers,
    floats,
    refuse_outside,
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
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Array:
    """Return `-log(p)` of the true class.

    Args:
        y_true: class numbers, in the shape of the predictions without the axis of the classes (or with size 1 there).
        y_pred: probabilities; with `from_logits`, their logits. If `activations.softmax` made the probabilities in the
            same step or function, its logits are used.
        from_logits: see `y_pred`.
        ignore_class: a class number whose samples have the loss 0.
        axis: the axis of the classes.

    Raises:
        ValueError: if the labels have another shape.
    """
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = class_numbers(y_true, y_pred, axis, "sparse_categorical_crossentropy")
    y_pred, from_logits = _logits_if_known(y_pred, from_logits, axis)
    if ignore_class is None:
        return ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)
    valid = ops.not_equal(y_true, ignore_class)
    classes = ops.where(valid, y_true, ops.zeros_like(y_true))
    loss = ops.sparse_categorical_crossentropy(classes, y_pred, from_logits=from_logits, axis=axis)
    return ops.where(valid, loss, ops.zeros_like(loss))


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
class SparseCategoricalCrossentropy(FunctionLoss, fn=sparse_categorical_crossentropy):
    """The cross-entropy of class numbers.

    Args:
        from_logits: whether predictions are logits instead of probabilities.
        ignore_class: a class number whose samples do not count.
        reduction: see `Loss`.
        axis: the axis of the classes.
        name: the name in logs.
        dtype: see `Loss`.
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str = "sparse_categorical_crossentropy",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.from_logits = from_logits
        self.ignore_class = ignore_class
        self.axis = axis

    def compute_mask(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array | None:
        """Return which samples do not belong to the ignored class."""
        if self.ignore_class is None:
            return None
        return ops.not_equal(class_numbers(y_true, y_pred, self.axis, self.name), self.ignore_class)

    def check_labels(self, labels: np.ndarray, output_shape: tuple[int | None, ...], output: str) -> None:
        """Refuse labels that are not class numbers."""
        classes = output_shape[self.axis]
        counted = labels if self.ignore_class is None else labels[labels != self.ignore_class]
        if classes is not None:
            hint = f"The output has {classes} classes, numbered from 0."
            refuse_outside(counted, 0, classes - 1, self.name, output, hint)
        if labels.dtype.name in dtypes.FLOATS and (labels != np.floor(labels)).any():
            raise ValueError(
                f"Labels of the output {output!r} must be whole class numbers for {self.name}; received fractions."
            )


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
