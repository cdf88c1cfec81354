"""Training that goes on where it was killed."""

from __future__ import annotations

import os
import warnings
from typing import Any

from polykeras.common.arguments import positive_int
from polykeras.training.callbacks.rhythm import EverySteps
from polykeras.training.interrupts import Termination
from polykeras.training.resuming.files import BackupFiles
from polykeras.training.resuming.progress import Progress
from polykeras.training.resuming.state import SavedRun


class BackupAndRestore(EverySteps):
    """Keeps the state of a run of `fit` in a folder. After a crash, the same program goes on where it was.

    The state is all that the rest of the run depends on: weights, optimizer, metrics, random generators (of the model,
    of polykeras, Python's and NumPy's global ones), the order of the samples, the place in it, the states of all
    callbacks and the history. So the run ends with the same bits as one that was never cut; on another backend than
    before, with the same numbers up to rounding. What a callback of your own has to remember: see
    `Callback.get_state`. A backup is there as a whole or not at all, whenever the process is killed.

    Data that come as a stream are read again: a data set or iterable from the beginning of the epoch, and one batch of
    each epoch before; a generator, and whatever goes on from epoch to epoch (`steps_per_epoch`), from the beginning of
    the run. They have to give the same batches again, for which Python's and NumPy's generators are in the state that
    they had then. Random states of frameworks, from which only native code draws, are not kept.

    Within an epoch, other data or another batch size are refused; between epochs they are taken with a warning. A
    learning rate that the optimizer holds is that of the backup. SIGTERM is answered at the end of the chunk of steps
    that runs: after a backup, what would have happened happens.

    Args:
        backup_dir: the folder; for one run only.
        save_freq: `"epoch"`, or a number of steps, counted over epochs; False for backups at SIGTERM alone.
        double_checkpoint: keep the state before the last one too, for disks that damage files; it is read where the
            last one cannot be.
        delete_checkpoint: whether to remove the backup at the end of the run. Kept, it makes the same program return at
            once, and one with more epochs go on.

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
        self._warned = False

    def _join(self, progress: Progress) -> SavedRun | None:
        if progress.watched:
            raise ValueError("`fit` takes one BackupAndRestore; received several.")
        self._steps = 0
        self._progress = progress
        progress.watched = True
        kept = SavedRun.read(self._files)
        self._termination.begin()
        return kept

    def _leave(self) -> None:
        self._progress = None
        self._termination.end()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep the state where it is time to."""
        self._save_if(self.is_time(batch))

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep the state where the process is to end: the validation then begins anew."""
        if self._progress is not None:
            self._save_if(False)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep the state where it is time to."""
        self._save_if(self.save_freq == "epoch")

    def _save_if(self, due: bool) -> None:
        if due or self._termination.pending:
            assert self._progress is not None
            self._warn_of_native_state()
            self._progress.kept().write(self._files)
        if self._termination.pending:
            self._termination.let_through()

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
        """Remove the backup, if it is not to be kept."""
        if self.delete_checkpoint:
            self._files.remove()

    def get_state(self) -> dict[str, Any]:
        """Return how many steps there were since the last backup."""
        return {"_steps": self._steps, "_seen": self._seen}
