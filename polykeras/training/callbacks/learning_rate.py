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
    # The digits of float32, not those that its binary value has in float64: 0.1, not 0.10000000149.
    return float(str(np.asarray(optimizer.learning_rate)))


def _rates(model: Any) -> dict[str, tuple[Any, float]]:
    """Return the optimizers with their learning rates, by the names that these have in the logs."""
    several = getattr(model.optimizer, "optimizers", None)
    named = {"learning_rate": model.optimizer} if several is None else {f"learning_rate_{o.name}": o for o in several}
    return {name: (optimizer, _rate(optimizer)) for name, optimizer in named.items()}


class LearningRateScheduler(Callback):
    """Sets the learning rate at the beginning of each epoch.

    Args:
        schedule: a function of the epoch (from 0) and the current rate, or of the epoch alone, that returns the rate.
        verbose: 1 says so each time.
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
            logs.update((name, rate) for name, (_, rate) in _rates(self.model).items())


def _arguments(schedule: Callable[..., float]) -> int:
    """Return 2 for a schedule that takes the epoch and the rate, 1 for one that takes the epoch alone."""
    try:
        inspect.signature(schedule).bind(0, 0.0)
    except TypeError:
        return 1
    return 2


class ReduceLROnPlateau(MonitorCallback):
    """Makes the learning rate smaller when a value of the logs has stopped improving.

    Args:
        monitor: its name in the logs.
        factor: the rate is multiplied by it.
        patience: how many epochs without an improvement are allowed.
        verbose: 1 says so each time.
        mode: `"min"`, `"max"`, or `"auto"`: which values are better.
        min_delta: by how much a value must be better to count.
        cooldown: epochs to wait after a reduction before counting again.
        min_lr: the rate does not fall below it.

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
        """Begin anew: the callback may serve several runs."""
        self._begin()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add the rate to the logs, compare the epoch with the best one, and reduce the rate for the next ones."""
        if logs is not None:
            logs.update((name, rate) for name, (_, rate) in _rates(self.model).items())
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
        """Return whether it waits after a reduction."""
        return self.cooldown_counter > 0
