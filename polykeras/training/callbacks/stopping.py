"""Callbacks that end training."""

from __future__ import annotations

import math
from typing import Any

from polykeras.training.callbacks.base import Callback
from polykeras.training.callbacks.monitor import MonitorCallback
from polykeras.training.callbacks.progress_line import announce


class EarlyStopping(MonitorCallback):
    """Ends training when a value of the logs has stopped improving.

    Args:
        monitor: the name of the value in the logs.
        min_delta: the smallest difference that counts as an improvement.
        patience: the number of epochs without improvement before training ends.
        verbose: 1: print a line when training ends.
        mode: which values are better: `"min"`, `"max"` or `"auto"`.
        baseline: only values better than this one count as improvements.
        restore_best_weights: give the model the weights of the best epoch at the end.
        start_from_epoch: the first epoch to look at, counted from 0.

    Attributes:
        stopped_epoch: the epoch after which training ended, counted from 0; 0 if it was not ended.
        best_epoch: the epoch with the best value, counted from 0.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self._begin()

    def _begin(self) -> None:
        self.best: float | None = None
        self.best_epoch = 0
        self.best_weights: list[Any] | None = None
        self.wait = 0
        self.stopped_epoch = 0

    def get_monitor_value(self, logs: dict[str, Any] | None) -> float | None:
        """Return the watched value. If the logs do not have it, warn and return None."""
        return self.monitored(logs)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start again: the callback may be used for several runs."""
        self._begin()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Compare the epoch with the best one so far. End training if there was no improvement for too long."""
        value = self.get_monitor_value(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self._keep(epoch)
        self.wait += 1
        if self.is_better(value, self.best):
            self.best = value
            self._keep(epoch)
            if self.is_better(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def _keep(self, epoch: int) -> None:
        self.best_epoch = epoch
        if self.restore_best_weights:
            self.best_weights = self.model.get_weights()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Give the model the weights of the best epoch, with `restore_best_weights`."""
        if self.stopped_epoch and self.verbose:
            announce(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose:
                announce(f"Restoring the weights of the best epoch: {self.best_epoch + 1}")
            self.model.set_weights(self.best_weights)


class TerminateOnNaN(Callback):
    """Ends training when the loss is no longer a finite number.

    The loss is checked after each chunk of steps, so a few more steps may have run.

    Args:
        raise_error: raise an error instead of ending training quietly.
    """

    per_chunk = True

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the loss.

        Raises:
            RuntimeError: the loss is nan or infinite, and `raise_error` is set.
        """
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(f"The loss is {loss} at step {batch} of the epoch. Try a smaller learning rate.")
        announce(f"Step {batch}: the loss is {loss}, training ends")
        self.model.stop_training = True
