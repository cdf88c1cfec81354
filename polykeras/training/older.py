"""What training code for Keras 2 uses: `model.compiled_loss`, and the order of the arguments of `compile`."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from polykeras.common import nested

if TYPE_CHECKING:
    from polykeras.metrics import Metric
    from polykeras.training.compiled_loss import CompiledLoss


F = TypeVar("F", bound=Callable[..., Any])
_KERAS_2_ORDER = ("optimizer", "loss", "metrics", "loss_weights", "weighted_metrics", "run_eagerly")


def name_metrics(value: Any) -> bool:
    """Return whether a value that should hold numbers holds names or functions."""
    return any(isinstance(leaf, str) or callable(leaf) for leaf in nested.flatten(value))


def or_metrics_third(compile: F) -> F:
    """Return a `compile` that also takes arguments in the order of Keras 2, where the third one is `metrics`."""

    @functools.wraps(compile)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        if len(args) > 2 and name_metrics(args[2]):
            text = "compile: the third argument was `metrics` in Keras 2 and is `loss_weights` today; pass names."
            warnings.warn(text, DeprecationWarning, stacklevel=3)
            return compile(self, **dict(zip(_KERAS_2_ORDER, args, strict=False)), **kwargs)
        return compile(self, *args, **kwargs)

    return wrapper  # type: ignore[return-value]


class OldCompiledLoss:
    """The loss of `compile`, in the form of Keras 2.

    Args:
        loss: the loss of `compile`, or None.
        track: called with the total and the outputs, to update the mean that the logs show as `loss`.
    """

    def __init__(self, loss: CompiledLoss | None, track: Callable[[Any, Any], None]) -> None:
        self._loss = loss
        self._track = track

    @property
    def metrics(self) -> list[Metric]:
        """The mean loss of each output, if there are several outputs."""
        return [] if self._loss is None else self._loss.metrics

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, regularization_losses: Iterable[Any] | None = None
    ) -> Any:
        """Return the total loss of a batch. The logs show its mean.

        Args:
            y_true: labels by output.
            y_pred: the outputs.
            sample_weight: weights by output, or one array for all outputs.
            regularization_losses: scalars to add, such as the `losses` of the model.
        """
        total = 0.0 if self._loss is None else self._loss(y_true, y_pred, sample_weight)
        for term in regularization_losses or ():
            total = total + term
        self._track(total, y_pred)
        return total
