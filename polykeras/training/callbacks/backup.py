"""Training that continues after a crash."""

from __future__ import annotations

import os
import warnings
from typing import Any

from polykeras.common.arguments import positive_int
from polykeras.distribution.strategies import weights_are_cut
from polykeras.distribution.workers import has_other_processes, is_first_worker
from polykeras.training.callbacks.every_steps import EverySteps
from polykeras.training.interrupts import Termination
from polykeras.training.parallel.running import end_together
from polykeras.training.resuming.files import BackupFiles
from polykeras.training.resuming.progress import Progress
from polykeras.training.resuming.state import SavedRun


class BackupAndRestore(EverySteps):
    """Keeps the state of a run of `fit` in a folder. After a crash, run the same program again: it continues.

    The state is everything that the rest of the run depends on: weights, optimizer, metrics, random generators (those
    of the model and of polykeras, and the global ones of Python and NumPy), the order of the samples, the position in
    this order, the states of all callbacks, and the history. The run therefore ends with the same bits as a run without
    a crash. On another backend it ends with the same numbers up to rounding. `Callback.get_state` explains what a
    callback of your own remembers. A backup is written completely or not at all, whenever the process is killed.

    Streams are read again. A data set or an iterable is read from the beginning of the epoch, plus one batch of each
    earlier epoch. A generator is read from the beginning of the run; so is any stream with `steps_per_epoch`, because
    it continues from epoch to epoch. The stream must give the same batches again. To make this possible, the generators
    of Python and NumPy get the state that they had then. Random states of a framework are not kept; only native code
    draws from them.

    Within an epoch, other data or another batch size are an error. Between epochs they are a warning. The learning rate
    of the optimizer comes from the backup. SIGTERM waits for the end of the current chunk of steps and for a backup.

    Args:
        backup_dir: the folder; for one run only.
        save_freq: `"epoch"`, or a number of steps, counted over epochs. False: back up at SIGTERM only.
        double_checkpoint: also keep the state before the last one, for disks that damage files. It is read if the last
            one cannot be read.
        delete_checkpoint: remove the backup at the end of the run. If it stays, the same program returns at once, and a
            program with more epochs continues.

    Raises:
        ValueError: another `save_freq`, or no folder.

    Example:
        >>> import polykeras as keras
        >>> backup = keras.callbacks.BackupAndRestore("backup", save_freq=100)
        >>> backup.save_freq
        100
    """

    runs_last = True

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: int | str = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if not os.fspath(backup_dir):
            raise ValueError("BackupAndRestore: `backup_dir` must name a folder; received ''.")
        self.backup_dir = os.fspath(backup_dir)
        by_steps = save_freq != "epoch" and save_freq is not False
        self.save_freq = positive_int(save_freq, "save_freq", self) if by_steps else save_freq
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self._files = BackupFiles(self.backup_dir, double_checkpoint)
        self._progress: Progress | None = None
        self._termination = Termination()
        self._together = False  # whether all workers were told to end
        self._warned = False

    def _enter(self, progress: Progress) -> SavedRun | None:
        if progress.watched:
            raise ValueError("`fit` takes one BackupAndRestore; received several.")
        self._steps = 0
        self._progress = progress
        progress.watched = True
        saved = SavedRun.read(self._files)
        self._termination.begin()
        return saved

    def _leave(self) -> None:
        self._progress = None
        self._termination.end()

    def _asked_to_end(self) -> bool:
        return self._termination.pending

    def _end_soon(self) -> None:
        self._termination.pending = self._together = True

    def _is_ending(self) -> bool:
        """Return whether the process ends now: it was asked to, and where there are other workers, all end together."""
        return self._termination.pending and (self._together or not has_other_processes())

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Write a backup if enough steps were done."""
        self._save_if(self.is_time(batch))

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Write a backup if the process is asked to end. The validation will run again from its beginning."""
        if self._progress is not None:
            self._save_if(False)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write a backup if `save_freq` is `"epoch"`."""
        self._save_if(self.save_freq == "epoch")

    def _save_if(self, due: bool) -> None:
        ending = self._is_ending()
        if (due or ending) and (is_first_worker() or weights_are_cut()):
            self._save()
        if ending:
            if self._together:
                end_together()
            self._together = False
            self._termination.let_through()

    def _save(self) -> None:
        assert self._progress is not None
        self._warn_of_native_state()
        saved = self._progress.saved()  # all gather weights that are cut
        if is_first_worker():
            saved.write(self._files)

    def _warn_of_native_state(self) -> None:
        if getattr(self.model, "_may_have_native_state", False) and not self._warned:
            self._warned = True
            warnings.warn(
                "BackupAndRestore: `train_step` changes objects of the framework, such as an optimizer of its own. "
                "Their state is not in the backup: a run that is cut goes on with a new one. Save it yourself in a "
                "callback (`get_state`), or use an optimizer of polykeras.",
                RuntimeWarning,
                stacklevel=2,
            )

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Remove the backup if `delete_checkpoint` is set."""
        if self.delete_checkpoint and is_first_worker():
            self._files.remove()

    def get_state(self) -> dict[str, Any]:
        """Return the number of steps since the last backup."""
        return {"_steps": self._steps, "_seen": self._seen}
