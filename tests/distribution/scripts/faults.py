"""A run that is killed, begins again and disagrees, as its arguments say.

`faults.py train FOLDER EPOCHS` trains with a backup after every few steps and tells the end; worker 1 writes its process
number to `FOLDER/process_1` when steps run. `faults.py disagree WHAT` lets worker 1 differ in one thing.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import polykeras as keras
from helpers.workers import tell
from polykeras import layers


def model(units: int = 16) -> keras.Model:
    """Return a small classifier."""
    found = keras.Sequential(
        [layers.Dense(units, activation="relu"), layers.Dropout(0.2), layers.Dense(3, activation="softmax")]
    )
    found.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return found


class Slow(keras.callbacks.Callback):
    """Makes steps last long enough to be killed within them, and writes which process runs them."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        self.told = False

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if not self.told:
            part = self.file.with_suffix(".part")
            part.write_text(str(os.getpid()))
            part.rename(self.file)  # so that a reader finds the whole number
            self.told = True
        time.sleep(0.03)

    def get_state(self) -> dict[str, Any]:
        return {}


def train(folder: str, epochs: str) -> dict[str, Any]:
    """Train with backups; return the history and a sum of the weights."""
    keras.utils.set_random_seed(0)
    Path(folder).mkdir(exist_ok=True)
    x = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
    net = model()
    backup = keras.callbacks.BackupAndRestore(Path(folder) / "backup", save_freq=7, delete_checkpoint=False)
    history = net.fit(
        x,
        np.arange(200) % 3,
        batch_size=8,
        epochs=int(epochs),
        verbose=0,
        callbacks=[backup, Slow(Path(folder) / f"process_{RANK}")],
    )
    return {**history.history, "weights": [float(np.abs(w).sum()) for w in net.get_weights()]}


def disagree(what: str) -> None:
    """Train, and differ on worker 1."""
    second = RANK == 1
    keras.utils.set_random_seed(1 if what == "seed" and second else 0)
    rows = 100 if what == "length" and second else 200
    x = np.ones((rows, 5), np.float32)
    if what == "values" and second:
        x[3] = 2
    net = model(17 if what == "model" and second else 16)
    net.fit(x, np.arange(rows) % 3, batch_size=20, epochs=3 if what == "epochs" and second else 2, verbose=0)


keras.distribution.initialize()
keras.distribution.set_distribution(keras.distribution.DataParallel())
RANK = keras.distribution.distribution().data_shard_id
command, *arguments = sys.argv[1:]
tell(RANK, {"train": train, "disagree": disagree}[command](*arguments))
