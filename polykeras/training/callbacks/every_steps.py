"""The base of callbacks that act after every so many steps."""

from __future__ import annotations

from typing import Any

from polykeras.training.callbacks.base import Callback


class EverySteps(Callback):
    """Base class of callbacks that act after a number of steps, counted over epochs.

    Chunks of steps end when it is time to act; otherwise their length does not change.

    Attributes:
        save_freq: a number of steps, or a string or False for callbacks that do not act by steps.
    """

    per_chunk = True
    save_freq: int | str = "epoch"

    _steps = 0
    """Steps since the callback acted last."""
    _seen = 0
    """Steps of this epoch that are counted already."""

    @property
    def every(self) -> int | None:
        """The number of steps; None if the callback does not act by steps."""
        # Not an attribute: it would be part of the state, and win over a new `save_freq` when a run is resumed.
        return None if isinstance(self.save_freq, (str, bool)) else int(self.save_freq)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Count from the first step of the epoch."""
        self._seen = 0

    def next_stop(self, done: int) -> int | None:
        """Return the step after which it is time to act."""
        every = self.every
        return None if every is None else done + every - self._steps

    def is_time(self, batch: int) -> bool:
        """Count the steps up to a batch and return whether it is time to act. Call it once after each chunk."""
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
