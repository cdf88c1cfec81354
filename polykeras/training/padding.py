"""Filling up the last batch of an epoch to the size of the others, so that one compiled step serves all batches.

A batch of fewer rows has another shape, for which a step would be traced and compiled once more. Instead, its first row
is repeated, and the repetitions become masked samples: losses and metrics know such masks from sequences, and values,
gradients and means leave the masked samples out. Random numbers stay those of the smaller batch, since they depend on
the place of an element, counted along the samples first.

`steps/fillable.py` decides for which models that changes nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from polykeras import config, ops
from polykeras.common import masks, nested
from polykeras.layers.base.context import get_mask
from polykeras.losses.reduction import left_aligned


class Filled(NamedTuple):
    """A batch that may have been filled up.

    Attributes:
        data: what a step is given: `x`, `(x, y)`, ...
        numbers: the numbers of its rows in the data, int32 `(batch,)`, made by `fill`.
    """

    data: Any
    numbers: Any


def fill(rows: np.ndarray, size: int) -> np.ndarray:
    """Return the numbers of a batch's rows, the first one repeated at the end.

    Args:
        rows: ints, at least one.
        size: how many there are to be.

    Returns:
        The numbers, `(size,)`.
    """
    return np.append(rows, np.full(size - len(rows), rows[0], rows.dtype))


def unfilled(batch: Any) -> tuple[Any, Any]:
    """Return the data of a batch, and the numbers of its rows; None for these if it is not `Filled`."""
    return batch if isinstance(batch, Filled) else (batch, None)


def valid_rows(numbers: Any) -> Any:
    """Return which rows of a batch that `fill` made count, bool `(batch,)`, from their numbers, int32 `(batch,)`."""
    first = np.arange(ops.shape(numbers)[0]) == 0
    return ops.logical_or(ops.not_equal(numbers, numbers[:1]), first)


def count(valid: Any) -> Any:
    """Return the number of rows that count, as a float scalar."""
    return ops.sum(ops.cast(valid, config.floatx()))


def mark(y_pred: Any, valid: Any) -> None:
    """Mask the outputs of a model, so that only valid rows count. A mask that is there is narrowed.

    Args:
        y_pred: a tree of arrays `(batch, ...)`.
        valid: which rows count, bool `(batch,)`.

    Raises:
        ValueError: an output has no axis beside that of the samples: a loss would take its mean over the samples.
    """
    for output in nested.flatten(y_pred):
        rank, mask = len(ops.shape(output)), get_mask(output)
        if rank < 2:
            raise ValueError(f"Outputs of shape {ops.shape(output)} cannot be masked row by row.")
        if mask is None:  # in the shape of the losses: that of the labels without the last axis
            mask = ops.reshape(valid, (-1, *(1,) * (rank - 2)))
        else:
            mask = ops.logical_and(left_aligned(valid, mask), ops.cast(mask, "bool"))
        masks.keep(output, mask)
