"""Evaluating a model with the moving averages of its weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from polykeras.training.callbacks.base import Callback
from polykeras.variables import Variable


class SwapEMAWeights(Callback):
    """Gives the model the moving averages of its weights during evaluation and prediction.

    The optimizer keeps the averages; create it with `use_ema=True`.

    Args:
        swap_on_epoch: also use the averages at the end of each epoch, for callbacks that save the model then.

    Raises:
        ValueError: raised by the run if the optimizer keeps no averages.
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._swapped = False

    def _pairs(self) -> Iterator[tuple[Variable, Variable]]:
        """Yield each weight with its average."""
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        averaging = [o for o in getattr(optimizer, "optimizers", [optimizer]) if o.use_ema]
        if not averaging:
            raise ValueError("SwapEMAWeights needs an optimizer with `use_ema=True`, which keeps the averages.")
        for one in averaging:
            for variable, average in zip(one._trainable_variables, one._averages, strict=True):
                if average is not None:
                    yield variable, average

    def _swap(self, averages: bool) -> None:
        """Put the averages into the model if `averages` is true; else put the weights back."""
        if averages is self._swapped:
            return
        for variable, average in self._pairs():
            value = variable.numpy()
            variable.assign(average.numpy())
            average.assign(value)
        self._swapped = averages

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Put the weights back for training."""
        self._swap(False)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Put the averages into the model, with `swap_on_epoch`. After the last epoch they stay there."""
        if not self.swap_on_epoch:
            return
        self._swap(True)
        if epoch == self.params["epochs"] - 1:
            for variable, average in self._pairs():
                average.assign(variable.numpy())

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Put the averages into the model."""
        self._swap(True)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Put the weights back."""
        self._swap(False)

    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Put the averages into the model."""
        self._swap(True)

    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        """Put the weights back."""
        self._swap(False)
