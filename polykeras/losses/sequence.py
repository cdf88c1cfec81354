"""The loss of label sequences that are read from longer outputs."""

from __future__ import annotations

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike
from polykeras.losses.loss import LOSSES, FunctionLoss


@LOSSES.register()
def ctc(y_true: ArrayLike, y_pred: ArrayLike) -> Array:
    """Return minus the logarithm of the probability of the labels, summed over all alignments with the outputs.

    Source: Graves et al., "Connectionist Temporal Classification", 2006; see `ops.ctc_loss`.

    Args:
        y_true: class numbers, `(batch, labels)`; 0 stands for no label and pads short sequences.
        y_pred: logits, `(batch, time, classes)`.

    Raises:
        ValueError: if an array has another rank.
    """
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    shape, labels = ops.shape(y_pred), ops.shape(y_true)
    if len(labels) != 2 or len(shape) != 3:
        raise ValueError(
            "ctc: labels must have the shape (batch, labels), predictions (batch, time, classes); received "
            f"{labels} and {shape}."
        )
    lengths = ops.sum(ops.cast(ops.not_equal(y_true, 0), "int32"), axis=-1)
    return ops.ctc_loss(ops.cast(y_true, "int32"), y_pred, lengths, ops.full((shape[0],), shape[1], "int32"))


@LOSSES.register()
class CTC(FunctionLoss, fn=ctc):
    """Connectionist temporal classification: labels in order, at any time (Graves et al., 2006)."""
