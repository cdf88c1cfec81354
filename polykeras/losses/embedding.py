"""Losses of embeddings, which bring samples of one class together and move others apart."""

from __future__ import annotations

from polykeras import dtypes, ops
from polykeras.backend.spec import Array
from polykeras.collectives import needs_whole_batch
from polykeras.common.types import ArrayLike, DTypeLike
from polykeras.losses.loss import LOSSES, FunctionLoss, mixes_samples

_NEVER = -1e4  # the logarithm of a pair that does not count: finite, even in float16, so that gradients are finite


@LOSSES.register()
@mixes_samples
def circle(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    ref_labels: ArrayLike | None = None,
    ref_embeddings: ArrayLike | None = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> Array:
    """Return the circle loss of each sample: `log(1 + sum(exp(far pairs)) * sum(exp(near pairs)))`.

    With the cosine distance `d` of a pair, a pair of one class counts `gamma * max(margin + d, 0) * (d - margin)`, and
    a pair of two classes `gamma * max(1 + margin - d, 0) * (1 - margin - d)`. A sample that lacks pairs of one kind has
    the loss 0.

    Source: Sun et al., "Circle Loss", 2020, https://arxiv.org/abs/2002.10857.

    Args:
        y_true: class numbers, `(batch,)` or `(batch, 1)`.
        y_pred: embeddings of length 1, `(batch, features)`.
        ref_labels: the class numbers of the embeddings to compare with, `(others,)`; None uses the batch itself.
        ref_embeddings: the embeddings to compare with, `(others, features)`.
        remove_diagonal: whether to leave out the pairs of a sample with itself.
        gamma: how sharply pairs are distinguished.
        margin: how far a pair may be from its optimum.

    Raises:
        ValueError: samples are compared with those of their batch, which several workers share.
    """
    if ref_embeddings is None:
        needs_whole_batch("The circle loss")
    y_pred = ops.convert_to_tensor(y_pred)
    y_pred = ops.cast(y_pred, dtypes.float_type(ops.dtype(y_pred)))
    others = y_pred if ref_embeddings is None else ops.cast(ref_embeddings, ops.dtype(y_pred))
    labels = ops.reshape(ops.cast(y_true, "int32"), (-1, 1))
    other_labels = labels if ref_labels is None else ops.reshape(ops.cast(ref_labels, "int32"), (-1, 1))
    distance = ops.maximum(1.0 - ops.matmul(y_pred, ops.transpose(others)), 0.0)
    same = ops.equal(labels, ops.transpose(other_labels))
    different = ops.logical_not(same)
    if remove_diagonal:
        itself = ops.eye(ops.shape(labels)[0], ops.shape(other_labels)[0], dtype="bool")
        same = ops.logical_and(same, ops.logical_not(itself))
    far = gamma * ops.maximum(margin + distance, 0.0) * (distance - margin)
    near = gamma * ops.maximum(1.0 + margin - distance, 0.0) * (1.0 - margin - distance)
    return ops.softplus(_logsumexp_where(same, far) + _logsumexp_where(different, near))


def _logsumexp_where(condition: Array, x: Array) -> Array:
    return ops.logsumexp(ops.where(condition, x, _NEVER), axis=1)


@LOSSES.register()
class Circle(FunctionLoss, fn=circle):
    """The circle loss of embeddings of length 1. Samples with the loss 0 do not count (Sun et al., 2020).

    Args:
        gamma: how sharply pairs are distinguished.
        margin: how far a pair may be from its optimum.
        remove_diagonal: whether to leave out the pairs of a sample with itself.
        reduction: see `Loss`.
        name: the name in logs.
        dtype: see `Loss`.
    """

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str = "circle",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.gamma = gamma
        self.margin = margin
        self.remove_diagonal = remove_diagonal

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        """Return the losses of the samples, which are compared with each other."""
        return circle(y_true, y_pred, remove_diagonal=self.remove_diagonal, gamma=self.gamma, margin=self.margin)

    def compute_mask(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array | None:
        """Return which samples have a loss."""
        return ops.greater(self.call(y_true, y_pred), 0)
