"""The section streaming: training from a generator and from a `DataLoader`, fast and slow, beside arrays in memory.

The rate in memory is that of `fit` on arrays as in the table of steps, which shuffles them; that of arrays in order is
given as a share of it too, as sources give their batches in order. The fast sources give slices that lie ready, so that
nothing is measured but the way of a batch into a step; one more loader puts batches together of the rows of tensors.
The slow one sleeps before each batch as long as a step takes.
"""

from __future__ import annotations

import importlib
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.measures import model_of
from benchmarks.tasks import TASKS
from benchmarks.timing import in_turn, median_seconds, medians, seconds_of

RUNS = 5
EPOCHS = 3  # in a run, so that the beginning of `fit` counts less
SLOW_STEPS = 300
Batches = list[tuple[np.ndarray, np.ndarray]]


def _generator(batches: Batches, pause: float = 0.0) -> Iterator[Any]:
    for batch in itertools.cycle(batches):
        if pause:
            time.sleep(pause)
        yield batch


def _overlap(model: Any, batches: Batches, step: float) -> float:
    """Return the time of a step with a slow source, over the longer of what the source and the step take alone."""
    source = _generator(batches, step)
    for _ in range(3):
        next(source)
    alone = seconds_of(lambda: list(itertools.islice(source, SLOW_STEPS))) / SLOW_STEPS

    def fit() -> None:
        model.fit(_generator(batches, step), steps_per_epoch=SLOW_STEPS, verbose=0)

    return median_seconds(fit, 3) / SLOW_STEPS / max(alone, step)


def streaming(who: str, framework: str, name: str) -> dict[str, Any]:
    """Return rates as shares of that from memory, and how far a slow source is overlapped (1: wholly, 2: not)."""
    data: Any = importlib.import_module("torch.utils.data")
    task = TASKS[name]
    x, y = task.data()
    batches: Batches = [(x[i : i + task.batch], y[i : i + task.batch]) for i in range(0, len(y), task.batch)]
    loader = data.DataLoader(batches, batch_size=None, num_workers=0)
    tensors = data.TensorDataset(*map(importlib.import_module("torch").from_numpy, (x, y)))
    rows = data.DataLoader(tensors, batch_size=task.batch)
    model = model_of(who, task)

    def generator() -> None:
        model.fit(_generator(batches), steps_per_epoch=task.steps, epochs=EPOCHS, verbose=0)

    fits: dict[str, Callable[[], Any]] = {
        "memory": lambda: model.fit(x, y, batch_size=task.batch, epochs=EPOCHS, verbose=0),
        "arrays in order": lambda: model.fit(x, y, batch_size=task.batch, epochs=EPOCHS, verbose=0, shuffle=False),
        "a generator": generator,
        "a DataLoader": lambda: model.fit(loader, epochs=EPOCHS, verbose=0),
        "a DataLoader of tensors": lambda: model.fit(rows, epochs=EPOCHS, verbose=0),
    }
    step = {kind: seconds / (EPOCHS * task.steps) for kind, seconds in medians(in_turn(fits, RUNS)).items()}
    found = {f"rate of {kind}": step["memory"] / step[kind] for kind in fits if kind != "memory"}
    return found | {"slow source": _overlap(model, batches, step["a generator"])}
