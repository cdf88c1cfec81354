"""Losses of Keras 2's backend, `K.categorical_crossentropy` and the like, over `polykeras.ops`."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike
from polykeras.config import epsilon
from polykeras.ops import binary_crossentropy, categorical_crossentropy

__all__ = ["binary_crossentropy", "categorical_crossentropy"]


def binary_focal_crossentropy(
    target: ArrayLike,
    output: ArrayLike,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
) -> Array:
    """Return the focal crossentropy of each element (https://arxiv.org/abs/1708.02002).

    Args:
        target: labels 0 and 1, with the shape of the predictions.
        output: predictions.
        apply_class_balancing: whether to weight the label 1 by `alpha` and the label 0 by `1 - alpha`.
        alpha: the weight of the label 1.
        gamma: the exponent that reduces the weight of easy examples.
        from_logits: whether the predictions are logits instead of probabilities.

    Returns:
        One number for each prediction.
    """
    likely = ops.sigmoid(output) if from_logits else output
    right = target * likely + (1 - target) * (1 - likely)
    found = ops.power(1.0 - right, gamma) * ops.binary_crossentropy(target, likely)
    return found * (target * alpha + (1 - target) * (1 - alpha)) if apply_class_balancing else found


def categorical_focal_crossentropy(
    target: ArrayLike,
    output: ArrayLike,
    alpha: ArrayLike = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    axis: int = -1,
) -> Array:
    """Return the focal crossentropy over classes (https://arxiv.org/abs/1708.02002).

    Args:
        target: one-hot labels, with the shape of the predictions.
        output: predictions.
        alpha: a factor.
        gamma: the exponent that reduces the weight of easy examples.
        from_logits: whether the predictions are logits instead of probabilities.
        axis: the axis of the classes.

    Returns:
        Losses with the shape of the predictions without `axis`.
    """
    likely = ops.softmax(output, axis) if from_logits else output / ops.sum(output, axis, keepdims=True)
    likely = ops.clip(likely, epsilon(), 1 - epsilon())
    return ops.sum(-target * ops.log(likely) * ops.power(1.0 - likely, gamma) * alpha, axis)


def sparse_categorical_crossentropy(
    target: ArrayLike, output: ArrayLike, from_logits: bool = False, axis: int = -1, ignore_class: int | None = None
) -> Array:
    """Return the crossentropy of class numbers; 0 where they are `ignore_class`.

    Args:
        target: integers, with the shape of the predictions without `axis`.
        output: predictions.
        from_logits: whether the predictions are logits instead of probabilities.
        axis: the axis of the classes.
        ignore_class: a label that does not count.

    Returns:
        Losses with the shape of the labels.
    """
    if ignore_class is None:
        return ops.sparse_categorical_crossentropy(target, output, from_logits, axis)
    valid = ops.not_equal(target, ignore_class)
    found = ops.sparse_categorical_crossentropy(ops.where(valid, target, 0), output, from_logits, axis)
    return ops.where(valid, found, 0)


def ctc_batch_cost(y_true: ArrayLike, y_pred: ArrayLike, input_length: ArrayLike, label_length: ArrayLike) -> Array:
    """Return the CTC loss of each sequence, whose last class is the blank.

    Args:
        y_true: class numbers `(batch, labels)`.
        y_pred: probabilities `(batch, time, classes)`.
        input_length: `(batch, 1)`, the length of each prediction.
        label_length: `(batch, 1)`, the length of each label.

    Returns:
        `(batch, 1)`.
    """
    lengths = [ops.cast(ops.squeeze(length, -1), "int32") for length in (label_length, input_length)]
    labels, blank = ops.cast(y_true, "int32"), ops.shape(y_pred)[-1] - 1
    return ops.expand_dims(ops.ctc_loss(labels, ops.log(y_pred + epsilon()), *lengths, mask_index=blank), 1)


def ctc_decode(
    y_pred: ArrayLike, input_length: ArrayLike, greedy: bool = True, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[Any], Any]:
    """Return the most probable labels for `(batch, time, classes)`, padded with -1, and their scores.

    Args:
        y_pred: probabilities; the last class is the blank.
        input_length: the number of valid times of each sample, `(batch,)`.
        greedy: whether to take the most probable class at each time; otherwise, a beam search is run.
        beam_width: the number of prefixes that the beam search keeps.
        top_paths: the number of labels for each sample that the beam search returns.
    """
    decoded, scores = ops.ctc_decode(
        ops.log(y_pred + epsilon()),
        ops.cast(input_length, "int32"),
        "greedy" if greedy else "beam_search",
        beam_width,
        top_paths,
        mask_index=ops.shape(y_pred)[-1] - 1,
    )
    return [decoded[path] for path in range(1 if greedy else top_paths)], scores
