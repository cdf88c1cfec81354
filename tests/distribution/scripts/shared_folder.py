"""A run of several workers that writes to a shared folder, of which a part fails or is slow.

`shared_folder.py FOLDER FAULT PART`: in the second epoch the part of the folder is "gone" (a file lies in its place),
"full", or "slow" for one write. With "terminated", worker 1 also gets SIGTERM then, and only that asks for a backup. With
"well", nothing happens. The parts are "backup", "models" and "logs".
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import polykeras as keras
from helpers.workers import tell
from polykeras import layers

SECONDS = 6.0  # that a slow write takes
FILE = 2**16  # bytes of the largest file in a full folder, smaller than a backup


class Breaks(keras.callbacks.Callback):
    """Breaks a part of the folder; notes where a run went on."""

    def __init__(self, folder: Path, fault: str, part: str) -> None:
        super().__init__()
        self.folder, self.fault, self.part = folder, fault, part
        self.epoch, self.went_on = 0, [0, 0]

    def get_state(self) -> dict[str, Any]:
        return {}

    def on_train_resume(self, epoch: int, step: int) -> None:
        self.epoch, self.went_on = epoch, [epoch, step]

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        moment = 10 if self.part == "backup" else 24  # the others are written after the epoch
        if (self.epoch, batch) == (1, moment) and self.fault != "well":
            self._break()

    def _break(self) -> None:
        if self.fault == "terminated" and RANK == 1:
            signal.raise_signal(signal.SIGTERM)
        if RANK != 0:
            return
        if self.fault == "gone":
            (self.folder / self.part).rename(self.folder / "away")
            (self.folder / self.part).touch()
        elif self.fault == "full" and self.part == "logs":
            (self.folder / "logs").rename(self.folder / "away")
            (self.folder / "logs").mkdir()
            (self.folder / "logs" / "log.csv").symlink_to("/dev/full")
        elif self.fault == "full":
            resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, resource.RLIM_INFINITY))
        else:
            _slow_once()


def _slow_once() -> None:
    at_once = os.fsync

    def slowly(handle: int) -> None:
        os.fsync = at_once
        time.sleep(SECONDS)
        at_once(handle)

    os.fsync = slowly


def main(folder: Path, fault: str, part: str) -> dict[str, Any]:
    """Train; return the history, a sum of the weights, and where the run went on."""
    keras.utils.set_random_seed(0)
    for name in ("models", "logs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    x = np.random.default_rng(0).normal(size=(200, 50)).astype(np.float32)
    model = keras.Sequential([layers.Dense(200, activation="relu"), layers.Dropout(0.2), layers.Dense(3)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    breaks = Breaks(folder, fault, part)
    callbacks = [
        breaks,
        keras.callbacks.ModelCheckpoint(folder / "models" / "net.keras"),
        keras.callbacks.CSVLogger(folder / "logs" / "log.csv"),
        keras.callbacks.BackupAndRestore(
            folder / "backup", save_freq=False if fault == "terminated" else 7, delete_checkpoint=False
        ),
    ]
    history = model.fit(x, np.arange(200) % 3, batch_size=8, epochs=3, verbose=0, callbacks=callbacks)
    weights = [float(np.abs(w).sum()) for w in model.get_weights()]
    return {"losses": history.history["loss"], "weights": weights, "went on": breaks.went_on}


keras.distribution.initialize()
keras.distribution.set_distribution(keras.distribution.DataParallel())
RANK = keras.distribution.distribution().data_shard_id
tell(RANK, main(Path(sys.argv[1]), *sys.argv[2:]))
