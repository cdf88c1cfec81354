"""Models and weights kept while training goes on."""

from __future__ import annotations

import os
from typing import Any

from polykeras.common.arguments import positive_int
from polykeras.common.legacy_arguments import takes_legacy_arguments
from polykeras.saving.model_files import SUFFIXES as MODELS
from polykeras.saving.model_files import save_model
from polykeras.saving.weights import SUFFIXES, save_weights
from polykeras.training.callbacks.monitor import MonitorCallback
from polykeras.training.callbacks.progress_line import announce
from polykeras.training.callbacks.rhythm import EverySteps


class ModelCheckpoint(MonitorCallback, EverySteps):
    """Saves the model, or its weights, after epochs, or after a number of steps.

    A file is written as a whole or not at all, so that one that exists can always be read.

    Args:
        filepath: ends in `.keras` for whole models, or in `.weights.h5`, `.npz` or another suffix of weights; `.h5` and
            `.hdf5` are Keras 2's, of models, or of weights with `save_weights_only`. In it
            `{epoch}`, `{batch}` (both from 1) and names of the logs are filled in, for instance
            `"{epoch:02d}-{val_loss:.2f}.keras"`. Folders are made.
        monitor: the name of the value in the logs by which the best weights are found.
        verbose: 1 says so each time.
        save_best_only: save only where the value is better than all before.
        save_weights_only: what the suffix says already but for Keras 2's; a contradiction is an error.
        mode: `"min"`, `"max"`, or `"auto"`: which values are better.
        save_freq: `"epoch"`, or a number of steps, counted over epochs.
        initial_value_threshold: the value to beat at first.

    Attributes:
        period: where `save_freq` is `"epoch"`: after so many of them it saves, 1 unless Keras 2's argument says it.

    Raises:
        ValueError: another suffix, or one that `save_weights_only` contradicts; another `save_freq`.
    """

    period: int = 1
    _waited = 0
    """Epochs since it saved last, or looked whether to."""

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
        """Remember the epoch, for names."""
        super().on_epoch_begin(epoch, logs)
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Save where it is time to."""
        if self.is_time(batch):
            self._save({"batch": batch + 1, **(logs or {})})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save where it is time to."""
        if self.save_freq != "epoch":
            return
        self._waited += 1
        if self._waited >= self.period:
            self._waited = 0
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
        whole = not self.save_weights_only and not path.endswith(SUFFIXES)
        (save_model if whole else save_weights)(self.model, path)
        if self.verbose:
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
                f"ModelCheckpoint: {path!r} names a whole model, and save_weights_only=True asks for weights: let it "
                "end in '.weights.h5'."
            )
        return path
    if not path.endswith(SUFFIXES):
        raise ValueError(
            f"ModelCheckpoint: expected a path that ends in '.keras', or in one of {', '.join(SUFFIXES)} for weights; "
            f"received {path!r}."
        )
    return path
