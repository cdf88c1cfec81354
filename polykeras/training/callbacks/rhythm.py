"""What callbacks share that do something after each so many steps."""

from __future__ import annotations

from typing import Any

from polykeras.training.callbacks.base import Callback


class EverySteps(Callback):
    """Base class of callbacks that are to act after a number of steps, counted over epochs.

    Chunks of steps end where it is time; elsewhere they are as long as they would be.

    Attributes:
        save_freq: what `every` comes from; anything but a number of steps means that steps are not what counts.
    """

    per_chunk = True
    save_freq: int | str = "epoch"

    _steps = 0
    """Steps since it acted last."""
    _seen = 0
    """Steps of the epoch that were counted."""

    @property
    def every(self) -> int | None:
        """The number of steps; None where steps are not what counts."""
        # No attribute of its own: as part of the state it would outlive another `save_freq` of a run that goes on.
        return None if isinstance(self.save_freq, (str, bool)) else int(self.save_freq)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Count from the epoch's first step."""
        self._seen = 0

    def next_stop(self, done: int) -> int | None:
        """Return the step after which it is time."""
        every = self.every
        return None if every is None else done + every - self._steps

    def is_time(self, batch: int) -> bool:
        """Count the steps up to a batch of the epoch, and return whether it is time; called once after each chunk."""
        if self.every is None:
            return False
        if batch < self._seen:  # a subclass has its own `on_epoch_begin`
            self._seen = 0
        self._steps += batch + 1 - self._seen
        self._seen = batch + 1
        if self._steps < self.every:
            return False
        self._steps = 0
        return True
