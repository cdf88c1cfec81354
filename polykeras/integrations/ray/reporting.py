"""The callback that reports to Ray, and begins where the last checkpoint ends."""

# Types are also checked where the extra `ray` is missing.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import ray.train
import ray.tune
from ray import is_initialized

from polykeras.callbacks import BackupAndRestore
from polykeras.distribution.strategies import weights_are_cut
from polykeras.training.resuming.files import BackupFiles
from polykeras.training.resuming.progress import Progress
from polykeras.training.resuming.state import SavedRun

MODEL = "model.keras"
"""The file of the model in a checkpoint."""


class ReportCheckpointCallback(BackupAndRestore):
    """Reports logs and checkpoints to Ray Train or Ray Tune, and lets `fit` go on at the last checkpoint.

    A checkpoint is a folder with the model, `model.keras`, and in `backup` the state of the whole run, as
    `BackupAndRestore` keeps it. Worker 0 alone writes it. If Ray starts the train function or the trial again, `fit`
    takes the last checkpoint, and ends with the numbers of a run that was never interrupted.

    All workers of a run must have this callback, since Ray waits for the reports of all.

    Args:
        metrics: the names of the logs that are reported; a dict gives them other names: `{reported: name}`. None:
            all logs.
        save_freq: when to write a checkpoint: `"epoch"`, or a number of steps, counted over epochs. False: never. Logs
            are reported with each checkpoint, and after each epoch.
        save_model: whether checkpoints hold the model too. Without it, they hold what `fit` needs to go on.

    Raises:
        ValueError: another `save_freq`.
        RuntimeError: by `fit`, outside of Ray.
        NotImplementedError: by `fit`, if weights are cut over several processes.
    """

    def __init__(
        self,
        metrics: str | list[str] | dict[str, str] | None = None,
        save_freq: int | str = "epoch",
        save_model: bool = True,
    ) -> None:
        super().__init__("backup", save_freq, delete_checkpoint=False)
        self.metrics = [metrics] if isinstance(metrics, str) else metrics
        self.save_model = save_model
        self._session: Any = None  # `ray.train` or `ray.tune`
        self._writes = False  # whether this process writes the checkpoints

    def _enter(self, progress: Progress) -> SavedRun | None:
        self._session, self._writes = _session()
        if weights_are_cut():
            raise NotImplementedError(
                "ReportCheckpointCallback: worker 0 writes its checkpoints alone, and has parts of the weights alone "
                "(`ModelParallel` over several processes). Use BackupAndRestore and ModelCheckpoint in a shared folder."
            )
        checkpoint = self._session.get_checkpoint()
        if checkpoint is None:  # a new run, whatever lies in the working directory
            with tempfile.TemporaryDirectory() as folder:
                self._files = BackupFiles(Path(folder) / self.backup_dir)
                return super()._enter(progress)
        with checkpoint.as_directory() as folder:
            self._files = BackupFiles(Path(folder) / self.backup_dir)
            return super()._enter(progress)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Report, with a checkpoint, if enough steps were done."""
        if self.is_time(batch):
            self._report(logs, with_checkpoint=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Report, with a checkpoint if `save_freq` is `"epoch"`."""
        self._report(logs, with_checkpoint=self.save_freq == "epoch")

    def _report(self, logs: dict[str, Any] | None, with_checkpoint: bool) -> None:
        metrics = self._reported(logs or {})
        if not (with_checkpoint and self._writes):
            self._session.report(metrics)
            return
        with tempfile.TemporaryDirectory() as folder:
            self._files = BackupFiles(Path(folder) / self.backup_dir)
            self._save()
            if self.save_model:
                self.model.save(Path(folder) / MODEL)
            self._session.report(metrics, checkpoint=self._session.Checkpoint.from_directory(folder))

    def _reported(self, logs: dict[str, Any]) -> dict[str, float]:
        names = self.metrics
        if names is None:
            names = [name for name, value in logs.items() if np.ndim(value) == 0]
        pairs = names.items() if isinstance(names, dict) else [(name, name) for name in names]
        return {reported: float(logs[name]) for reported, name in pairs if name in logs}


def _session() -> tuple[Any, bool]:
    """Return the part of Ray that runs this process, and whether the process writes checkpoints.

    Raises:
        RuntimeError: it is not run by Ray.
    """
    try:
        return ray.train, ray.train.get_context().get_world_rank() == 0
    except (RuntimeError, DeprecationWarning):  # which Ray raises outside of Ray Train, and in a trial
        pass
    if not is_initialized() or ray.tune.get_context().get_trial_id() is None:
        raise RuntimeError(
            "ReportCheckpointCallback: expected to be run by Ray, in a train function of a `PolykerasTrainer` or in a "
            "trial of a `Tuner`. Elsewhere use BackupAndRestore and ModelCheckpoint."
        )
    return ray.tune, True
