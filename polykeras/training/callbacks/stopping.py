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
        monitor: its name in the logs.
        min_delta: by how much a value must be better to count.
        patience: how many epochs without an improvement are allowed.
        verbose: 1 says so when it stops.
        mode: `"min"`, `"max"`, or `"auto"`: which values are better.
        baseline: epochs that do not beat it do not count as improvements.
        restore_best_weights: whether the model gets the weights of the best epoch back in the end.
        start_from_epoch: the first epoch to look at, counted from 0.

    Attributes:
        stopped_epoch: the epoch in which it stopped, 0 where it did not.
        best_epoch: the epoch of the best value.
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
        """Return the value that is watched, None (with a warning) where the logs do not have it."""
        return self.monitored(logs)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin anew: the callback may serve several runs."""
        self._begin()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Compare the epoch with the best one so far, and stop where patience is at its end."""
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
        """Give the model its best weights back."""
        if self.stopped_epoch and self.verbose:
            announce(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose:
                announce(f"Restoring the weights of the best epoch: {self.best_epoch + 1}")
            self.model.set_weights(self.best_weights)


class TerminateOnNaN(Callback):
    """Ends training when the loss is no longer a finite number.

    The loss is looked at whenever a chunk of steps has run, so that training may be some steps further by then.

    Args:
        raise_error: whether to raise an error instead of ending quietly.
    """

    per_chunk = True

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the loss.

        Raises:
            RuntimeError: it is nan or infinite, and `raise_error` was asked for.
        """
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(f"The loss is {loss} at step {batch} of the epoch. Try a smaller learning rate.")
        announce(f"Step {batch}: the loss is {loss}, training ends")
        self.model.stop_training = True
