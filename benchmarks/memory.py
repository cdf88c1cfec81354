"""The sections memory and growth: what training takes of the machine's memory.

The peak of `fit` is Linux's own high-water mark of the resident set (`VmHWM` in /proc/self/status), which writing 5 to
/proc/self/clear_refs sets back to the present size; so no sampling misses it. It is told as it is, and over the
resident set with the library and its framework loaded, before data and model are made: data, model, compiler and all
copies count. (What it takes to draw the data does not: the mark is set back once they are there.) Growth is told
without what the allocator keeps of freed memory: `malloc_trim` gives that back before each look.
"""

from __future__ import annotations

import ctypes
import gc
import weakref
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measures import library, model_of
from benchmarks.tasks import TASKS, Task
from benchmarks.timing import seconds_of

STATUS = Path("/proc/self/status")
REPEATS = 50
WARM_UP = 5
SHORT = 4  # steps
SIZES = range(100, 700, 10)  # rows: 60 sizes, in steps of no batch


def megabytes(field: str) -> float:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(field + ":"))
    return int(line.split()[1]) / 1024


def peak_of(work: Callable[[], Any]) -> float:
    """Return the greatest resident set, in MB, while `work` runs."""
    Path("/proc/self/clear_refs").write_text("5")
    work()
    return megabytes("VmHWM")


def _weights(name: str) -> list[np.ndarray]:
    return TASKS[name].initial_weights()


def _made_elsewhere(name: str) -> list[np.ndarray]:
    """Return a task's initial weights from another process: polykeras, which makes them, is no part of Keras."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_weights, name).result()


def memory(who: str, framework: str, name: str) -> dict[str, Any]:
    """Return MB: the peak of making the model and of its first `fit`, that of a second `fit`, and both over the start.

    The peak is that of the whole process, as the system counts it: libraries and all that they import belong to it.
    """
    task = TASKS[name]
    weights = _made_elsewhere(name)
    library(who)
    gc.collect()
    start = megabytes("VmRSS")
    x, y = task.data()
    models: list[Any] = []

    def fit() -> None:
        models[0].fit(x, y, batch_size=task.batch, epochs=2, verbose=0)

    def make_and_fit() -> None:
        models.append(model_of(who, task, weights=weights))
        fit()

    first = peak_of(make_and_fit)
    gc.collect()
    second = peak_of(fit)
    return {
        "peak of the first fit": first,
        "peak of a second fit": second,
        "first fit over the start": first - start,
        "second fit over the start": second - start,
    }


def _resident() -> float:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return megabytes("VmRSS")


def _growth(work: Callable[[], Any]) -> float:
    """Return by how many MB the resident set grows over the repetitions of `work` that follow on some first ones."""
    for _ in range(WARM_UP):
        work()
    start = _resident()
    for _ in range(REPEATS):
        work()
        gc.collect()
    return _resident() - start


def _sizes(model: Any, task: Task) -> dict[str, float]:
    """Return milliseconds a `fit` on data of a new size each time, and by how many MB memory grows over all of them."""
    data = [(x[:rows], y[:rows]) for x, y in [task.data()] for rows in SIZES]

    def fits() -> None:
        for x, y in data:
            model.fit(x, y, batch_size=task.batch, verbose=0)

    start = _resident()
    seconds = seconds_of(fits)
    return {"a fit of a new size": 1000 * seconds / len(SIZES), f"{len(SIZES)} sizes": _resident() - start}


def growth(who: str, framework: str, name: str) -> dict[str, Any]:
    """Return MB by which memory grows over 50 fits of one model, and over 50 models made, fitted shortly and dropped.

    Also how many of the dropped models are still there, as nobody calls `clear_session`; and what fits on data of many
    sizes take.
    """
    task: Task = TASKS[name]
    x, y = task.data(SHORT)
    weights = task.initial_weights()  # once: making them 55 times would be growth of our own
    model: Any = model_of(who, task, weights=weights)
    fits = _growth(lambda: model.fit(x, y, batch_size=task.batch, verbose=0))
    made: list[weakref.ref[Any]] = []

    def make_and_drop() -> None:
        dropped = model_of(who, task, weights=weights)
        dropped.fit(x, y, batch_size=task.batch, verbose=0)
        made.append(weakref.ref(dropped))

    models = _growth(make_and_drop)
    alive = float(sum(reference() is not None for reference in made))
    found = {f"{REPEATS} fits": fits, f"{REPEATS} models": models, "models alive": alive}
    return found | _sizes(model, task)
