"""The section progress: what the bar and metrics cost, in percent of a step, and how often the host asks for values.

The bar is drawn into a pseudo-terminal, whose other end a thread reads, as a terminal would. Epochs with and without
alternate in one process; the percentage is the median of their ratios.
"""

from __future__ import annotations

import os
import pty
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from benchmarks.host_reads import host_reads, reads_inside_chunks
from benchmarks.measures import library
from benchmarks.tasks import LOSSES, TASKS, Task
from benchmarks.timing import in_turn, percent_over, seconds_of

EPOCHS = 50  # a round is off by 10 % where others use the machine, the median of so many by 1 or 2
EPOCH_SECONDS = 0.25
MOST_STEPS = 5000


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
    """Return percentages of a step, and counts of the host's reads of values, of a task with binary labels."""
    k, task = library(who), TASKS[name]
    plain, alike, accurate = _model(k, task, []), _model(k, task, []), _model(k, task, ["accuracy"])
    area = _model(k, task, ["accuracy", k.metrics.AUC()])
    x, y = task.data()
    plain.fit(x, y, batch_size=task.batch, verbose=0)
    step = seconds_of(lambda: plain.fit(x, y, batch_size=task.batch, verbose=0)) / task.steps
    x, y = task.data(int(min(MOST_STEPS, max(task.steps, EPOCH_SECONDS / step))))

    def epoch(model: Any, verbose: int = 0) -> Callable[[], Any]:
        return lambda: model.fit(x, y, batch_size=task.batch, verbose=verbose)

    with _terminal():
        epochs = {
            "silent": epoch(plain),
            "silent again": epoch(alike),
            "bar": epoch(plain, verbose=1),
            "accuracy": epoch(accurate),
            "accuracy and AUC": epoch(area),
        }
        costs = percent_over(in_turn(epochs, EPOCHS, warm_up=2), "silent", "silent again")
        with host_reads(framework) as reads:
            epoch(area, verbose=1)()
    counts = {"host reads in 1000 steps": 1000 * len(reads) / (len(y) // task.batch)}
    if who == "polykeras":
        with reads_inside_chunks(framework) as (inside, _):
            epoch(area)()
        counts["host reads inside chunks"] = float(len(inside))
    return costs | counts
