"""Weights, masks and the reduction of the losses of samples to one number."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.collectives import part_of_mean, workers
from polykeras.common.types import ArrayLike

REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None)


def reduce_weighted(
    values: ArrayLike, sample_weight: ArrayLike | None, mask: Array | None, reduction: str | None
) -> Array:
    """Return weighted, masked and reduced losses.

    Args:
        values: floats; the first axis counts samples.
        sample_weight: weights that broadcast to `values` from the left, or None.
        mask: bools that broadcast in the same way, or None. Masked values do not count in a mean.
        reduction: see `Loss`.

    Returns:
        A scalar, or the weighted losses if there is no reduction. Where workers share the batch, the mean of their
        scalars is that of the whole batch. Losses `(batch,)` become a column `(batch, 1)` if the
        weights or the mask are one, as in Keras.
    """
    if len(ops.shape(values)) == 1 and (_is_column(sample_weight) or _is_column(mask)):
        values = ops.expand_dims(values, -1)
    weight = None if sample_weight is None else left_aligned(ops.cast(sample_weight, ops.dtype(values)), values)
    valid: Any = None
    if mask is not None:
        valid = left_aligned(ops.cast(mask, ops.dtype(values)), values)
        weight = valid if weight is None else weight * valid
    if weight is not None:
        values = values * weight
    if reduction in ("none", None):
        return values
    total = ops.sum(values)
    if reduction == "sum":
        return total if workers() == 1 else total * float(workers())
    if reduction == "mean_with_sample_weight" and weight is not None:
        return part_of_mean(total, ops.sum(ops.broadcast_to(weight, ops.shape(values))))
    if valid is not None:  # the number of valid values is an integer
        return part_of_mean(total, ops.sum(ops.broadcast_to(valid, ops.shape(values))), least=1.0)
    size = ops.size(values)
    return total / (size if size != 0 else 1)


def spread(value: Array, sample_weight: ArrayLike | None, mask: Array | None) -> Array:
    """Return a scalar loss of a whole batch once for each weight, so that weights and masks apply to it.

    Args:
        value: the loss.
        sample_weight: weights of the samples, or None.
        mask: bools, or None.
    """
    parts = [part for part in (sample_weight, mask) if part is not None]
    return ops.broadcast_to(value, ops.shape(max(parts, key=ops.ndim))) if parts else value


def _is_column(x: Array) -> bool:
    shape = () if x is None else ops.shape(x)
    return len(shape) == 2 and shape[-1] == 1


def left_aligned(weight: Array, values: ArrayLike) -> Array:
    """Return a weight with trailing axes, so that the first axes of `(batch,)` and `(batch, time)` match.

    Raises:
        ValueError: if it has more axes than the values.
    """
    have, want = len(ops.shape(weight)), len(ops.shape(values))
    if have == want + 1 and ops.shape(weight)[-1] == 1:
        return ops.squeeze(weight, -1)
    if have > want:
        raise ValueError(
            f"sample_weight or mask of shape {ops.shape(weight)} does not fit values of shape {ops.shape(values)}: "
            "it has more axes."
        )
    return weight if have == want else ops.reshape(weight, (*ops.shape(weight), *(1,) * (want - have)))
