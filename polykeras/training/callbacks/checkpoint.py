"""Saving models and weights during training."""

from __future__ import annotations

import os
from typing import Any

from polykeras.common.arguments import positive_int
from polykeras.common.legacy_arguments import takes_legacy_arguments
from polykeras.distribution.strategies import weights_are_cut
from polykeras.distribution.whole import whole_on_first_worker
from polykeras.distribution.workers import is_first_worker
from polykeras.saving.model_files import SUFFIXES as MODELS
from polykeras.saving.model_files import save_model
from polykeras.saving.weights import SUFFIXES, save_weights
from polykeras.training.callbacks.every_steps import EverySteps
from polykeras.training.callbacks.monitor import MonitorCallback
from polykeras.training.callbacks.progress_line import announce


class ModelCheckpoint(MonitorCallback, EverySteps):
    """Saves the model or its weights after each epoch, or after a number of steps.

    A file is written completely or not at all, so every file that exists can be read.

    Args:
        filepath: ends in `.keras` for whole models, or in `.weights.h5`, `.npz` or another suffix of weights. The
            suffixes `.h5` and `.hdf5` are those of Keras 2: for models, or for weights with `save_weights_only`. The
            fields `{epoch}` and `{batch}` (both counted from 1) and names in the logs are filled in, for instance
            `"{epoch:02d}-{val_loss:.2f}.keras"`. Folders are created.
        monitor: the name in the logs of the value that `save_best_only` compares.
        verbose: 1: print a line each time.
        save_best_only: save only if the value is better than all before.
        save_weights_only: needed only for `.h5` and `.hdf5`, since other suffixes say it. A contradiction is an error.
        mode: which values are better: `"min"`, `"max"` or `"auto"`.
        save_freq: `"epoch"`, or a number of steps, counted over epochs.
        initial_value_threshold: the value to beat at first.

    Attributes:
        period: with `save_freq="epoch"`: save after every so many epochs; 1, or Keras 2's argument of this name.

    Raises:
        ValueError: another suffix, or one that `save_weights_only` contradicts; another `save_freq`.
    """

    period: int = 1
    _waited = 0
    """Epochs since the last time that `period` was over."""

    @property
    def first_worker_only(self) -> bool:
        """Whether worker 0 alone has it. All have it if they must gather weights that are cut; worker 0 writes them."""
        return not weights_are_cut()

    @takes_legacy_arguments
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
        self.filepath = _checked_path(filepath, save_weights_only)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq if save_freq == "epoch" else positive_int(save_freq, "save_freq", self)
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Remember the epoch, for the file's name."""
        super().on_epoch_begin(epoch, logs)
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Save if enough steps were done."""
        if self.is_time(batch):
            self._save({"batch": batch + 1, **(logs or {})})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save if `save_freq` is `"epoch"` and `period` epochs were done."""
        if self.save_freq != "epoch":
            return
        self._waited += 1
        if self._waited >= self.period:
            self._waited = 0
            self._save(dict(logs or {}))

    def _save(self, logs: dict[str, Any]) -> None:
        if self.save_best_only:
            value = self.monitored(logs)
            # If the value is missing, save: as in Keras, one file too many is better than none.
            if value is not None:
                if not self.is_better(value, self.best):
                    return
                self.best = value
        path = self._path(logs)
        with whole_on_first_worker(tuple) as writes:  # if it cannot make the folder, all are told
            if writes:
                os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        whole = not self.save_weights_only and not path.endswith(SUFFIXES)
        (save_model if whole else save_weights)(self.model, path)
        if self.verbose and is_first_worker():
            announce(f"Epoch {self._epoch + 1}: {'model' if whole else 'weights'} saved to {path}")

    def _path(self, logs: dict[str, Any]) -> str:
        fields = {"epoch": self._epoch + 1, **logs}
        try:
            return self.filepath.format(**fields)
        except KeyError as error:
            raise KeyError(
                f"ModelCheckpoint: filepath {self.filepath!r} names {error}; there are {', '.join(fields)}."
            ) from None


def _checked_path(filepath: str | os.PathLike[str], weights_only: bool) -> str:
    path = os.fspath(filepath)
    if path.endswith(MODELS) and not path.endswith(SUFFIXES):
        if weights_only and path.endswith(".keras"):
            raise ValueError(
                f"ModelCheckpoint: {path!r} names a whole model, but save_weights_only=True asks for weights. Use a "
                "path that ends in '.weights.h5'."
            )
        return path
    if not path.endswith(SUFFIXES):
        raise ValueError(
            f"ModelCheckpoint: expected a path that ends in '.keras', or in one of {', '.join(SUFFIXES)} for weights; "
            f"received {path!r}."
        )
    return path
