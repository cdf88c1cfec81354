"""The section progress: what the bar and metrics cost, in percent of a step, and how often the host asks for values.

The bar is drawn into a pseudo-terminal, whose other end a thread reads, as a terminal would. Epochs with and without
alternate in one process; the percentage is the median of their ratios.
"""

from __future__ import annotations

import os
import pty
import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from statistics import median
from typing import Any

from benchmarks.host_reads import host_reads, reads_inside_chunks
from benchmarks.measures import library, seconds_of
from benchmarks.tasks import LOSSES, TASKS, Task

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


def percent(epochs: dict[str, Callable[[], Any]], base: str, *alike: str) -> dict[str, float]:
    """Return how much longer epochs take than `base`, in percent; medians of rounds in random order.

    Where others are like the base, how much longer these take tells how far to trust the rest, which is held against
    the mean of all: a step is 1 or 2 % longer or shorter by where a model's arrays lie in memory.
    """
    for epoch in epochs.values():
        epoch()
        epoch()
    rng = random.Random(0)  # who comes after another one may find its caches
    orders = [rng.sample(list(epochs), len(epochs)) for _ in range(EPOCHS)]
    times = [{name: seconds_of(epochs[name]) for name in order} for order in orders]

    def over(name: str) -> float:
        bases = [base] if name in alike else [base, *alike]
        return 100 * median(run[name] * len(bases) / sum(run[other] for other in bases) - 1 for run in times)

    return {name: over(name) for name in epochs if name != base}


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
        costs = percent(
            {
                "silent": epoch(plain),
                "silent again": epoch(alike),
                "bar": epoch(plain, verbose=1),
                "accuracy": epoch(accurate),
                "accuracy and AUC": epoch(area),
            },
            "silent",
            "silent again",
        )
        with host_reads(framework) as reads:
            epoch(area, verbose=1)()
    counts = {"host reads in 1000 steps": 1000 * len(reads) / (len(y) // task.batch)}
    if who == "polykeras":
        with reads_inside_chunks(framework) as (inside, _):
            epoch(area)()
        counts["host reads inside chunks"] = float(len(inside))
    return costs | counts
