"""The logs of all epochs."""

from __future__ import annotations

from typing import Any

from polykeras.training.callbacks.base import Callback


class History(Callback):
    """Keeps the logs of each epoch. `fit` adds a `History` by itself and returns it.

    Attributes:
        epoch: the numbers of the epochs of the last run, counted from 0.
        history: for each name in the logs, a list of one value per epoch. If one `History` is passed to several runs,
            they follow one another.
    """

    def __init__(self) -> None:
        super().__init__()
        self.epoch: list[int] = []
        self.history: dict[str, list[Any]] = {}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Count the epochs anew."""
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Append the epoch's logs."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def get_state(self) -> dict[str, Any]:
        """Return all epochs so far."""
        return {"epoch": self.epoch, "history": self.history}
