"""The section saving: what it costs to keep a run while it goes on, in percent of a step.

Epochs of 400 steps with and without a callback alternate in one process. Keras writes weights where we write the run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measures import library, model_of
from benchmarks.tasks import TASKS
from benchmarks.timing import in_turn, percent_over

STEPS = 400
EPOCHS = 12  # of each kind: on PyTorch those of the wide model take four seconds in Keras


def saving(who: str, framework: str, name: str) -> dict[str, Any]:
    """Return percentages of a step: backups each 100 and each 20 steps, and whole models each 100."""
    k, task = library(who), TASKS[name]
    model = model_of(who, task)
    x, y = task.data(STEPS)

    with tempfile.TemporaryDirectory() as folder:

        def backup(steps: int) -> Callable[[], Any]:
            return fit(lambda: k.callbacks.BackupAndRestore(str(Path(folder, "backup")), save_freq=steps))

        def fit(make: Callable[[], Any] | None = None) -> Callable[[], Any]:
            def epoch() -> None:
                callbacks = [] if make is None else [make()]
                model.fit(x, y, batch_size=task.batch, verbose=0, callbacks=callbacks)

            return epoch

        whole = str(Path(folder, "model.keras"))
        epochs = {
            "without": fit(),
            "backup each 100 steps": backup(100),
            "backup each 20 steps": backup(20),
            "model each 100 steps": fit(lambda: k.callbacks.ModelCheckpoint(whole, save_freq=100)),
        }
        return dict(percent_over(in_turn(epochs, EPOCHS, warm_up=2), "without"))
