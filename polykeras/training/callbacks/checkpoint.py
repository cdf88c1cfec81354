"""Weights kept while training goes on."""

from __future__ import annotations

import os
from typing import Any

from polykeras.arguments import positive_int
from polykeras.saving.weights import npz_path, save_weights
from polykeras.training.callbacks.monitor import MonitorCallback
from polykeras.training.callbacks.progress import announce


class ModelCheckpoint(MonitorCallback):
    """Saves the weights after epochs, or after a number of steps.

    A file is written as a whole or not at all, so that one that exists can always be read.

    Args:
        filepath: ends in `.npz`; `{epoch}`, `{batch}` (both from 1) and names of the logs in it are filled in, for
            instance `"{epoch:02d}-{val_loss:.2f}.weights.npz"`. Folders are made.
        monitor: the name of the value in the logs by which the best weights are found.
        verbose: 1 says so each time.
        save_best_only: save only where the value is better than all before.
        save_weights_only: accepted for Keras code; an `.npz` file holds weights only.
        mode: `"min"`, `"max"`, or `"auto"`: which values are better.
        save_freq: `"epoch"`, or a number of steps; these are then run one by one.
        initial_value_threshold: the value to beat at first.

    Raises:
        ValueError: another suffix, or another `save_freq`.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: int | str = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, initial_value_threshold)
        self.filepath = npz_path(filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq if save_freq == "epoch" else positive_int(save_freq, "save_freq", self)
        self.per_chunk = save_freq == "epoch"
        self._epoch = 0
        self._steps = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Remember the epoch, for names."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Save where it is time to."""
        if self.save_freq == "epoch":
            return
        self._steps += 1
        if self._steps == self.save_freq:
            self._steps = 0
            self._save({"batch": batch + 1, **(logs or {})})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save where it is time to."""
        if self.save_freq == "epoch":
            self._save(dict(logs or {}))

    def _save(self, logs: dict[str, Any]) -> None:
        if self.save_best_only:
            value = self.monitored(logs)
            # Without the value, as Keras does: rather one file too many than none.
            if value is not None:
                if not self.is_better(value, self.best):
                    return
                self.best = value
        path = self._path(logs)
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        save_weights(self.model, path)
        if self.verbose:
            announce(f"Epoch {self._epoch + 1}: weights saved to {path}")

    def _path(self, logs: dict[str, Any]) -> str:
        fields = {"epoch": self._epoch + 1, **logs}
        try:
            return self.filepath.format(**fields)
        except KeyError as error:
            raise KeyError(
                f"ModelCheckpoint: filepath {self.filepath!r} names {error}; there are {', '.join(fields)}."
            ) from None
