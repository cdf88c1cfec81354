"""The sections progress and saving: what goes on beside training, in percent of a step.

Epochs with and without alternate in one process; a percentage is the median of their ratios. The bar is drawn into a
pseudo-terminal, whose other end a thread reads, as a terminal would.
"""

from __future__ import annotations

import os
import pty
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from benchmarks.measures import library, model_of
from benchmarks.tasks import LOSSES, TASKS, Task
from benchmarks.timing import in_turn, percent_over, seconds_of

EPOCHS = 50  # a round is off by 10 % where others use the machine, the median of so many by 1 or 2
EPOCH_SECONDS = 0.25
MOST_STEPS = 5000
SAVING_STEPS = 400
SAVING_EPOCHS = 12  # of each kind: on PyTorch those of the wide model take four seconds in Keras


@contextmanager
def _terminal() -> Iterator[None]:
    """Within this context standard output is a terminal."""
    ours, theirs = pty.openpty()

    def read() -> None:
        try:
            while os.read(ours, 65536):
                pass
        except OSError:  # the terminal was closed
            return

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    with open(theirs, "w") as out, redirect_stdout(out):
        assert sys.stdout.isatty()
        yield
    reader.join()
    os.close(ours)


def _model(k: Any, task: Task, metrics: list[Any]) -> Any:
    model = task.model(k)
    model.compile(optimizer=k.optimizers.SGD(task.rate), loss=LOSSES[task.loss], metrics=metrics)
    model.set_weights(task.initial_weights())
    return model


def progress(who: str, framework: str, name: str) -> dict[str, Any]:
    """Return what the bar and metrics cost, of a task with binary labels."""
    k, task = library(who), TASKS[name]
    plain, alike, accurate = _model(k, task, []), _model(k, task, []), _model(k, task, ["accuracy"])
    area = _model(k, task, ["accuracy", k.metrics.AUC()])
    x, y = task.data()
    plain.fit(x, y, batch_size=task.batch, verbose=0)
    step = seconds_of(lambda: plain.fit(x, y, batch_size=task.batch, verbose=0)) / task.steps
    x, y = task.data(int(min(MOST_STEPS, max(task.steps, EPOCH_SECONDS / step))))

    def epoch(model: Any, verbose: int = 0) -> Callable[[], Any]:
        return lambda: model.fit(x, y, batch_size=task.batch, verbose=verbose)

    epochs = {
        "silent": epoch(plain),
        "silent again": epoch(alike),
        "bar": epoch(plain, verbose=1),
        "accuracy": epoch(accurate),
        "accuracy and AUC": epoch(area),
    }
    with _terminal():
        return dict(percent_over(in_turn(epochs, EPOCHS, warm_up=2), "silent", "silent again"))


def saving(who: str, framework: str, name: str) -> dict[str, Any]:
    """Return what backups each 100 and each 20 steps cost, and whole models each 100.

    Keras writes weights where we write the run.
    """
    k, task = library(who), TASKS[name]
    model = model_of(who, task)
    x, y = task.data(SAVING_STEPS)

    def epoch(make: Callable[[], Any] | None = None) -> Callable[[], Any]:
        return lambda: model.fit(x, y, batch_size=task.batch, verbose=0, callbacks=[make()] if make else [])

    with tempfile.TemporaryDirectory() as folder:
        run, whole = str(Path(folder, "backup")), str(Path(folder, "model.keras"))
        epochs = {
            "without": epoch(),
            "backup each 100 steps": epoch(lambda: k.callbacks.BackupAndRestore(run, save_freq=100)),
            "backup each 20 steps": epoch(lambda: k.callbacks.BackupAndRestore(run, save_freq=20)),
            "model each 100 steps": epoch(lambda: k.callbacks.ModelCheckpoint(whole, save_freq=100)),
        }
        return dict(percent_over(in_turn(epochs, SAVING_EPOCHS, warm_up=2), "without"))
