"""Checkpoints in Orbax's format during training."""

from __future__ import annotations

import os
import warnings
from typing import Any

from polykeras.common.arguments import positive_int
from polykeras.distribution.strategies import weights_are_cut
from polykeras.distribution.workers import is_first_worker
from polykeras.saving.orbax import checkpointables, complete_steps, remove_step, require_orbax
from polykeras.training.callbacks.every_steps import EverySteps
from polykeras.training.callbacks.monitor import MonitorCallback
from polykeras.training.callbacks.progress_line import announce


class OrbaxCheckpoint(MonitorCallback, EverySteps):
    """Writes the model to a folder of Orbax, which Keras reads too, while training goes on.

    Each checkpoint is a folder, named by the epoch (counted from 0) or by the number of steps done. It is complete or
    not there at all. `load_model` reads the last one with the optimizer's state, `model.load_weights` the values alone.
    Training waits for a copy of the values in memory, and for an earlier checkpoint that is still being written.

    Args:
        directory: the folder, made if necessary; for one run.
        monitor: the name in the logs of the value that `save_best_only` compares.
        verbose: 1: print a line each time.
        save_best_only: save only if the value is better than all before. Nothing is saved without it.
        mode: which values are better: `"min"`, `"max"` or `"auto"`.
        save_freq: `"epoch"`, or a number of steps, counted over epochs.
        initial_value_threshold: the value to beat at first.
        max_to_keep: how many checkpoints stay, those written last; None: all.
        save_on_background: False: training waits until a checkpoint is written.
        save_weights_only: leave out the optimizer, the metrics and what `load_model` needs.

    Raises:
        ImportError: orbax-checkpoint is not installed.
        ValueError: another `save_freq` or `max_to_keep`.
        NotImplementedError: at the begin of training, several processes of JAX train together.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        mode: str = "auto",
        save_freq: int | str = "epoch",
        initial_value_threshold: float | None = None,
        max_to_keep: int | None = 1,
        save_on_background: bool = True,
        save_weights_only: bool = False,
    ) -> None:
        super().__init__(monitor, mode, initial_value_threshold)
        require_orbax()
        self.directory = os.path.abspath(directory)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_freq = save_freq if save_freq == "epoch" else positive_int(save_freq, "save_freq", self)
        self.max_to_keep = None if max_to_keep is None else positive_int(max_to_keep, "max_to_keep", self)
        self.save_on_background = save_on_background
        self.save_weights_only = save_weights_only
        self._done = 0  # steps, in all
        self._written: list[int] = []
        self._pending: Any = None

    @property
    def first_worker_only(self) -> bool:
        """Whether worker 0 alone has it. All have it if they must gather weights that are cut; worker 0 writes them."""
        return not weights_are_cut()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Count steps from those that the optimizer has done, and look at what the folder holds."""
        super().on_train_begin(logs)
        from orbax.checkpoint import multihost

        if multihost.process_count() > 1:
            raise NotImplementedError(
                f"OrbaxCheckpoint: Orbax waits for all {multihost.process_count()} processes of JAX, but one process "
                "writes here. Use ModelCheckpoint or BackupAndRestore."
            )
        optimizer = getattr(self.model, "optimizer", None)
        self._done = 0 if optimizer is None else int(optimizer.iterations.numpy())

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Save if enough steps were done."""
        self._done += batch + 1 - (self._seen if batch >= self._seen else 0)
        if self.is_time(batch):
            self._save(self._done, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save if `save_freq` is `"epoch"`."""
        if self.save_freq == "epoch":
            self._save(epoch, logs)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Wait until everything is written."""
        self.wait_until_finished()

    def wait_until_finished(self) -> None:
        """Wait until everything is written, and remove checkpoints beyond `max_to_keep`.

        Raises:
            OSError: the system refused. The checkpoints before are there.
        """
        pending, self._pending = self._pending, None
        if pending is None:
            return
        pending.result()
        others = [step for step in complete_steps(self.directory) if step not in self._written]
        # Steps of an earlier run are older than this run's, whatever their numbers.
        for step in [*others, *self._written][: -self.max_to_keep] if self.max_to_keep else []:
            remove_step(self.directory, step)
        self._written = [step for step in self._written if step in complete_steps(self.directory)]

    def _save(self, step: int, logs: dict[str, Any] | None) -> None:
        if self.save_best_only:
            value = self.monitored(logs)
            if value is None or not self.is_better(value, self.best):
                return
            self.best = value
        made = checkpointables(self.model, self.save_weights_only)
        if not is_first_worker() or made is None:
            return
        self.wait_until_finished()
        later = [number for number in complete_steps(self.directory) if number > step]
        if later and not self._written:
            warnings.warn(
                f"OrbaxCheckpoint: {self.directory} holds step {later[-1]} of an earlier run, and this run begins with "
                f"step {step}. Whoever reads the folder gets the largest number. Use a folder for each run.",
                stacklevel=2,
            )
        os.makedirs(self.directory, exist_ok=True)
        place = os.path.join(self.directory, str(step))
        self._pending = require_orbax().save_checkpointables_async(place, made, overwrite=True)
        self._written = [*(number for number in self._written if number != step), step]
        if not self.save_on_background:
            self.wait_until_finished()
        if self.verbose:
            announce(f"Step {step}: checkpoint {'goes' if self.save_on_background else 'saved'} to {place}")
