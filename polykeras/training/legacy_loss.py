"""`model.compiled_loss` of Keras 2, which training steps that were written for it call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polykeras.metrics import Metric
    from polykeras.training.compiled_loss import CompiledLoss


class LegacyCompiledLoss:
    """The loss of `compile` as Keras 2 gave it to a model's own steps.

    Args:
        loss: that of `compile`, or None where there is none.
        track: takes the total and the outputs, for the mean that the logs show as `loss`.
    """

    def __init__(self, loss: CompiledLoss | None, track: Callable[[Any, Any], None]) -> None:
        self._loss = loss
        self._track = track

    @property
    def metrics(self) -> list[Metric]:
        """One mean an output, where there are several."""
        return [] if self._loss is None else self._loss.metrics

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, regularization_losses: Iterable[Any] | None = None
    ) -> Any:
        """Return the total loss of a batch, of which the logs show the mean.

        Args:
            y_true: labels by output.
            y_pred: the outputs.
            sample_weight: weights by output, or one array for all.
            regularization_losses: scalars to add, such as the model's `losses`.
        """
        total = 0.0 if self._loss is None else self._loss(y_true, y_pred, sample_weight)
        for term in regularization_losses or ():
            total = total + term
        self._track(total, y_pred)
        return total
