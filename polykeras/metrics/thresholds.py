"""Sums of weights, by the position of scores among thresholds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from polykeras import dtypes, ops
from polykeras.backend.axes import is_below
from polykeras.backend.spec import Array

_MOST_COMPARISONS = 2**15
"""Up to this number, each score is compared with each threshold. With more, each score is sorted in between two."""


def sums_above(scores: Array, truth: Array, weight: Array, thresholds: np.ndarray) -> list[tuple[Any, Any]]:
    """Return sums of weights over all samples, and over those with a score above each threshold.

    Args:
        scores: floats `(samples, labels)`; nan is above no threshold.
        truth: bools of the same shape.
        weight: weights of the same shape and dtype as the scores.
        thresholds: a vector.

    Returns:
        For the samples that are false, and for those that are true: an array `(labels,)`, and one of shape
        `(thresholds, labels)`.
    """
    if _few(scores, thresholds) or (np.diff(thresholds) < 0).any():
        above = ops.greater(scores[:, None], _limits(thresholds[:, None], scores))
        weights = ops.where(truth, 0.0, weight), ops.where(truth, weight, 0.0)
        return [(ops.sum(w, axis=0), ops.sum(ops.where(above, w[:, None], 0.0), axis=0)) for w in weights]
    sums = from_each(ops.cast(sums_between(scores, truth, weight, thresholds), ops.dtype(scores)))
    return [(sums[0, :, label], sums[1:, :, label]) for label in range(2)]


def from_each(sums: Any) -> Array:
    """Return the sums from each index to the last one."""
    return ops.flip(ops.cumsum(ops.flip(sums, 0), 0), 0)


def sums_between(scores: Array, truth: Array, weight: Array, thresholds: np.ndarray) -> Array:
    """Return sums of weights over samples, by the number of thresholds that their score exceeds.

    Args:
        scores: floats `(samples, labels)`; nan is above no threshold.
        truth: bools of the same shape.
        weight: weights of the same shape and dtype as the scores.
        thresholds: an ascending vector.

    Returns:
        An array `(thresholds + 1, labels, 2)`, in at least float32. The index along the first axis is the number of
        thresholds that a score exceeds; along the last axis it is 0 for false samples and 1 for true ones.
    """
    labels = ops.shape(scores)[-1]
    shape = (len(thresholds) + 1, labels, 2)
    size = math.prod(shape)
    places = _passed(scores, thresholds)
    if labels > 1:
        places = places * labels + ops.arange(labels, dtype="int32")
    places = _limited(places * 2 + ops.cast(truth, "int32"), size)
    weight = ops.cast(weight, dtypes.result_type(ops.dtype(weight), "float32"))  # in bfloat16, 256 + 1 is 256
    sums = ops.scatter(ops.reshape(places, (-1, 1)), ops.reshape(weight, (-1,)), (size,))
    return ops.reshape(sums, shape)


def _passed(scores: Array, thresholds: np.ndarray) -> Array:
    """Return the number of ascending thresholds that each score exceeds, as int32."""
    if _is_even(thresholds, ops.dtype(scores)):
        return _passed_in_grid(scores, thresholds)
    if _few(scores, thresholds):
        return ops.sum(ops.cast(ops.greater(scores[..., None], _limits(thresholds, scores)), "int32"), axis=-1)
    # Searched from the other end, so that nan exceeds none of them.
    return len(thresholds) - ops.searchsorted(_limits(-thresholds[::-1], scores), -scores, "right")


def _passed_in_grid(scores: Array, thresholds: np.ndarray) -> Array:
    """Do the same for thresholds near an even grid from 0 to 1."""
    # In units of an interval, a score above exactly `i` thresholds lies in about (i - 1, i]. Rounding up after taking
    # off a quarter gives `i - 1` or `i`, despite rounding errors; the threshold at this index decides which.
    place = ops.minimum(scores, 1.0) * float(len(thresholds) - 1) + 0.75
    place = ops.cast(ops.where(ops.greater(scores, 0.0), place, 0.0), "int32")
    # A nan follows the last threshold, since no score exceeds it.
    limits = _limits(np.append(thresholds, math.nan), scores)
    passed = ops.less(ops.take(limits, _limited(place, len(thresholds) + 1), 0), scores)
    return place + ops.cast(passed, "int32")


def _limited(places: Any, size: int) -> Array:
    """Return indices, which are in range, in a form that backends recognize as such, so that they skip the check.

    See `are_limited` of the tensorflow backend for this form.
    """
    return ops.minimum(ops.maximum(places, 0), size - 1)


def _is_even(thresholds: np.ndarray, dtype: str) -> bool:
    """Return whether thresholds lie near a grid from 0 to 1 whose intervals the dtype resolves."""
    intervals = len(thresholds) - 1
    if intervals < 1 or intervals * dtypes.eps(dtype) > 0.1:
        return False
    return float(np.abs(thresholds * intervals - np.arange(intervals + 1)).max()) < 0.01


def _few(scores: Array, thresholds: np.ndarray) -> bool:
    return is_below(len(thresholds) * math.prod(ops.shape(scores)), _MOST_COMPARISONS + 1)


def _limits(thresholds: np.ndarray, scores: Array) -> Array:
    """Return float64 thresholds in the dtype of the scores."""
    return ops.convert_to_tensor(thresholds.astype(np.float64), ops.dtype(scores))
