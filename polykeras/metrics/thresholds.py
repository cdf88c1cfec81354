"""Sums of weights by where scores lie among thresholds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from polykeras import dtypes, ops
from polykeras.backend.axes import is_below
from polykeras.backend.spec import Array

_MOST_COMPARISONS = 2**15
"""Up to so many, each score is compared with each threshold; of more, each score is put between two thresholds."""


def sums_above(scores: Array, truth: Array, weight: Array, thresholds: np.ndarray) -> list[tuple[Any, Any]]:
    """Return sums of weights over all samples, and over those whose score is above each threshold.

    Args:
        scores: floats `(samples, labels)`; a nan is above nothing.
        truth: bools of that shape.
        weight: of the scores' shape and dtype.
        thresholds: a vector.

    Returns:
        For the samples that are not true, and for those that are: an array `(labels,)`, and one
        `(thresholds, labels)`.
    """
    if _few(scores, thresholds) or (np.diff(thresholds) < 0).any():
        above = ops.greater(scores[:, None], _limits(thresholds[:, None], scores))
        weights = ops.where(truth, 0.0, weight), ops.where(truth, weight, 0.0)
        return [(ops.sum(w, axis=0), ops.sum(ops.where(above, w[:, None], 0.0), axis=0)) for w in weights]
    sums = from_each(ops.cast(sums_between(scores, truth, weight, thresholds), ops.dtype(scores)))
    return [(sums[0, :, label], sums[1:, :, label]) for label in range(2)]


def from_each(sums: Any) -> Array:
    """Return the sums from each place on, to the last one."""
    return ops.flip(ops.cumsum(ops.flip(sums, 0), 0), 0)


def sums_between(scores: Array, truth: Array, weight: Array, thresholds: np.ndarray) -> Array:
    """Return sums of weights over the samples whose score is above so and so many thresholds.

    Args:
        scores: floats `(samples, labels)`; a nan is above nothing.
        truth: bools of that shape.
        weight: of the scores' shape and dtype.
        thresholds: an ascending vector.

    Returns:
        An array `(thresholds + 1, labels, 2)`, in float32 where the weights have fewer bits. Its places along the first
        axis are how many thresholds a score is above, along the last one samples that are not true and that are.
    """
    labels = ops.shape(scores)[-1]
    shape = (len(thresholds) + 1, labels, 2)
    size = math.prod(shape)
    places = _passed(scores, thresholds)
    if labels > 1:
        places = places * labels + ops.arange(labels, dtype="int32")
    places = _limited(places * 2 + ops.cast(truth, "int32"), size)
    weight = ops.cast(weight, dtypes.result_type(ops.dtype(weight), "float32"))  # 256 + 1 is 256 in bfloat16
    sums = ops.scatter(ops.reshape(places, (-1, 1)), ops.reshape(weight, (-1,)), (size,))
    return ops.reshape(sums, shape)


def _passed(scores: Array, thresholds: np.ndarray) -> Array:
    """Return how many of the ascending thresholds each score is above, int32."""
    if _is_even(thresholds, ops.dtype(scores)):
        return _passed_in_grid(scores, thresholds)
    if _few(scores, thresholds):
        return ops.sum(ops.cast(ops.greater(scores[..., None], _limits(thresholds, scores)), "int32"), axis=-1)
    # From the other end, where a nan is behind all of them.
    return len(thresholds) - ops.searchsorted(_limits(-thresholds[::-1], scores), -scores, "right")


def _passed_in_grid(scores: Array, thresholds: np.ndarray) -> Array:
    """The same for thresholds near a grid from 0 to 1."""
    # In units of an interval a score above the first `i` and no more is about in (i - 1, i]. A quarter less than that
    # leaves `i - 1` or `i` when rounded up, however a little is rounded here; the threshold in this place tells which.
    place = ops.minimum(scores, 1.0) * float(len(thresholds) - 1) + 0.75
    place = ops.cast(ops.where(ops.greater(scores, 0.0), place, 0.0), "int32")
    # Behind the last threshold stands a nan, to which nothing compares.
    limits = _limits(np.append(thresholds, math.nan), scores)
    passed = ops.less(ops.take(limits, _limited(place, len(thresholds) + 1), 0), scores)
    return place + ops.cast(passed, "int32")


def _limited(places: Any, size: int) -> Array:
    """Return places, which are in range, so that a backend sees that they are: it need not have them checked.

    The form and its order are those that backends know (TensorFlow's `are_limited`).
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
    """Return thresholds, float64, in the dtype of the scores."""
    return ops.convert_to_tensor(thresholds.astype(np.float64), ops.dtype(scores))
