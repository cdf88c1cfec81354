"""Labels of losses: conversion to floats or class numbers, smoothing, and checks of their range."""

from __future__ import annotations

import warnings

import numpy as np

from polykeras import dtypes, ops
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike
from polykeras.losses.loss import FunctionLoss, aligned, match_ranks


def floats(y_true: ArrayLike, y_pred: ArrayLike, name: str) -> tuple[Array, Array]:
    """Return labels and predictions as floats of one dtype and shape.

    Raises:
        ValueError: if their shapes differ.
    """
    return _as_floats(*aligned(y_true, y_pred, name))


def broadcast_floats(y_true: ArrayLike, y_pred: ArrayLike, name: str) -> tuple[Array, Array]:
    """Return labels and predictions as floats of one dtype, broadcast to one shape, as in Keras.

    This is seldom intended, so it warns.

    Raises:
        ValueError: if their shapes do not broadcast.
    """
    labels, predictions = match_ranks(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred))
    here, there = tuple(ops.shape(labels)), tuple(ops.shape(predictions))
    if here == there:
        return _as_floats(labels, predictions)
    try:
        shape = np.broadcast_shapes(here, there)
    except ValueError:
        return floats(y_true, y_pred, name)  # it raises the error
    warnings.warn(
        f"{name}: labels of shape {here} and predictions of shape {there} are broadcast to {shape}: "
        "each number is compared with several others. If this is not intended, give both the same shape.",
        stacklevel=2,
    )
    labels, predictions = _as_floats(labels, predictions)
    return ops.broadcast_to(labels, shape), ops.broadcast_to(predictions, shape)


def _as_floats(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[Array, Array]:
    dtype = dtypes.float_type(ops.dtype(y_pred))
    return ops.cast(y_true, dtype), ops.cast(y_pred, dtype)


def class_numbers(y_true: ArrayLike, y_pred: ArrayLike, axis: int, name: str) -> Array:
    """Return labels as int32, in the shape of the predictions without the axis of the classes.

    Args:
        y_true: class numbers, in that shape or with size 1 along `axis`.
        y_pred: predictions.
        axis: the axis of the classes.
        name: the name of the loss or metric, for the message.

    Raises:
        ValueError: if the labels have another shape.
    """
    y_true = ops.convert_to_tensor(y_true)
    full, shape = ops.shape(y_pred), ops.shape(y_true)
    place = axis % len(full) if full else 0
    expected = full[:place] + full[place + 1 :]
    if len(shape) == len(full) and full and shape[place] == 1:
        y_true = ops.squeeze(y_true, place)
    if ops.shape(y_true) != expected:
        hint = ""
        if len(shape) == len(full):
            hint = f" One-hot labels go with {name.removeprefix('sparse_')}."
        elif len(full) > 2:
            hint = (
                " The predictions have more axes than one for samples and one for classes: is a Flatten, a pooling "
                "layer or return_sequences=False missing before the last layer?"
            )
        raise ValueError(
            f"{name}: labels must be class numbers of shape {expected} for predictions of shape {full}; received "
            f"labels of shape {shape}.{hint}"
        )
    return ops.cast(y_true, "int32")


def smooth_binary(y_true: ArrayLike, label_smoothing: float) -> Array:
    """Return labels in [0, 1], moved toward one half by the fraction `label_smoothing`."""
    return y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing if label_smoothing else y_true


def smooth_classes(y_true: ArrayLike, label_smoothing: float, axis: int) -> Array:
    """Return one-hot labels, moved toward the uniform distribution over `axis` by the fraction `label_smoothing`."""
    if not label_smoothing:
        return y_true
    return y_true * (1.0 - label_smoothing) + label_smoothing / ops.shape(y_true)[axis]


def refuse_outside(labels: np.ndarray, low: float, high: float, loss: str, output: str, hint: str) -> None:
    """Raise ValueError if a host label lies outside `[low, high]`."""
    if not labels.size:
        return
    least, most = labels.min(), labels.max()
    if least < low or most > high:
        raise ValueError(
            f"Labels of the output {output!r} are out of range for {loss}: expected values from {low:g} to {high:g}; "
            f"received {least:g} to {most:g}. {hint}"
        )


class BinaryLabelsLoss(FunctionLoss):
    """A loss of labels in [0, 1]."""

    def check_labels(self, labels: np.ndarray, output_shape: tuple[int | None, ...], output: str) -> None:
        """Refuse labels outside [0, 1]."""
        hint = "Map -1 and 1 to 0 and 1; for class numbers of more classes use sparse_categorical_crossentropy."
        refuse_outside(labels, 0, 1, self.name, output, hint)


class ClassNumbersLoss(FunctionLoss):
    """A loss of class numbers along an axis, of which one may be ignored.

    Attributes:
        axis: the axis of the classes.
        ignore_class: a class number whose samples do not count, or None.
    """

    axis: int
    ignore_class: int | None

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
