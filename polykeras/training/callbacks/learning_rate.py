"""Callbacks that change the learning rate between epochs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras.common.legacy_arguments import takes_legacy_arguments
from polykeras.training.callbacks.base import Callback
from polykeras.training.callbacks.monitor import MonitorCallback
from polykeras.training.callbacks.progress_line import announce


def _rate(optimizer: Any) -> float:
    # With the digits of float32: 0.1. As a float64, the same binary value is 0.10000000149.
    return float(str(np.asarray(optimizer.learning_rate)))


def _rates(model: Any) -> dict[str, tuple[Any, float]]:
    """Return each optimizer with its learning rate, by the name of the rate in the logs."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    several = getattr(optimizer, "optimizers", None)
    named = {"learning_rate": optimizer} if several is None else {f"learning_rate_{o.name}": o for o in several}
    return {name: (one, _rate(one)) for name, one in named.items()}


def logged_rates(model: Any) -> dict[str, float]:
    """Return the learning rates of a model by their names in the logs."""
    return {} if model.optimizer is None else {name: rate for name, (_, rate) in _rates(model).items()}


class LearningRateScheduler(Callback):
    """Sets the learning rate at the beginning of each epoch.

    Args:
        schedule: a function that returns the rate. It takes the epoch (counted from 0), or the epoch and the current
            rate.
        verbose: 1: print a line each time.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Set the rate.

        Raises:
            ValueError: the schedule does not return a float.
        """
        for optimizer, current in _rates(self.model).values():
            rate = self.schedule(*(epoch, current)[: _arguments(self.schedule)])
            if not isinstance(rate, (float, np.floating)):
                raise ValueError(
                    f"LearningRateScheduler: the schedule must return a float; received {rate!r} "
                    f"({type(rate).__name__}) for epoch {epoch}."
                )
            optimizer.learning_rate = float(rate)
            if self.verbose:
                announce(f"Epoch {epoch + 1}: the learning rate is set to {rate}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add the rate to the logs."""
        if logs is not None:
            logs.update(logged_rates(self.model))


def _arguments(schedule: Callable[..., float]) -> int:
    """Return 2 if a schedule takes the epoch and the rate, 1 if it takes the epoch alone."""
    try:
        inspect.signature(schedule).bind(0, 0.0)
    except TypeError:
        return 1
    return 2


class ReduceLROnPlateau(MonitorCallback):
    """Reduces the learning rate when a value of the logs has stopped improving.

    Args:
        monitor: the name of the value in the logs.
        factor: the rate is multiplied by this number.
        patience: the number of epochs without improvement before a reduction.
        verbose: 1: print a line each time.
        mode: which values are better: `"min"`, `"max"` or `"auto"`.
        min_delta: the smallest difference that counts as an improvement.
        cooldown: epochs to wait after a reduction before counting again.
        min_lr: the rate does not fall below this number.

    Raises:
        ValueError: a factor of 1 or more.
    """

    @takes_legacy_arguments
    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        if factor >= 1.0:
            raise ValueError(f"ReduceLROnPlateau: factor must be less than 1; received {factor}.")
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.min_lr = min_lr
        self._begin()

    def _begin(self) -> None:
        self.best: float | None = None
        self.cooldown_counter = 0
        self.wait = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start again: the callback may be used for several runs."""
        self._begin()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add the rate to the logs. Compare the epoch with the best one, and reduce the rate if it is time."""
        if logs is not None:
            logs.update(logged_rates(self.model))
        value = self.monitored(logs)
        if value is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.is_better(value, self.best):
            self.best = value
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        for optimizer, rate in _rates(self.model).values():
            if rate <= np.float32(self.min_lr):
                continue
            optimizer.learning_rate = reduced = max(rate * self.factor, self.min_lr)
            self.cooldown_counter = self.cooldown
            self.wait = 0
            if self.verbose:
                announce(f"Epoch {epoch + 1}: the learning rate is reduced to {reduced}")

    def in_cooldown(self) -> bool:
        """Return whether the callback waits after a reduction."""
        return self.cooldown_counter > 0
