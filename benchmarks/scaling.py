"""The section scaling: how the time of a step grows with batch, width, depth and rows.

Multilayer perceptrons with relu and Adam, all the same but for one size at a time. The loops by hand are those of the
task "deep", which take any number of layers; of the ways that they know, the one that is best for such models is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.measures import model_of, native_epochs, seconds_of
from benchmarks.tasks import TASKS, Task

FEATURES = 32
AXES: dict[str, tuple[int, ...]] = {
    "batch": (1, 4, 16, 64, 256, 1024, 4096),
    "width": (8, 32, 128, 512, 2048),
    "depth": (1, 5, 30, 200),
    "rows": (2**10, 2**13, 2**16, 2**20),
}
NATIVE_WAYS = {
    "jax": ("scan",),
    "tensorflow": ("loop in the graph, XLA",),
    "torch": ("epoch permuted", "epoch permuted, one thread"),
}
EPOCH_FLOPS = 4e9
MOST_LAYER_STEPS = 1500
MEASURED_SECONDS = 0.5


@dataclass(frozen=True)
class Size:
    """One network and its data."""

    batch: int = 32
    width: int = 64
    depth: int = 3
    rows: int = 0

    @property
    def steps(self) -> int:
        """Steps in an epoch: of all rows, or as many as tell the time of a step."""
        if self.rows:
            return self.rows // self.batch
        weights = self.width * (FEATURES + self.width * (self.depth - 1))
        fewest = min(EPOCH_FLOPS / (6 * self.batch * weights), MOST_LAYER_STEPS / self.depth)
        return int(min(256, max(16, fewest)))


def size_on(axis: str, value: int) -> Size:
    """Return the network at a place on an axis; where rows grow, batches are large, as one would have them."""
    return replace(Size(batch=256) if axis == "rows" else Size(), **{axis: value})


def _network(k: Any, size: Size) -> Any:
    hidden = [k.layers.Dense(size.width, activation="relu") for _ in range(size.depth)]
    return k.Sequential([k.Input((FEATURES,)), *hidden, k.layers.Dense(1, activation="sigmoid")])


def _inputs(rng: np.random.Generator, rows: int) -> np.ndarray:
    return rng.standard_normal((rows, FEATURES), dtype="float32")


def _task(size: Size) -> Task:
    model = partial(_network, size=size)
    return replace(TASKS["deep"], label="", model=model, inputs=_inputs, batch=size.batch, steps=size.steps)


def _epochs(who: str, framework: str, task: Task) -> Iterable[Callable[[], Any]]:
    x, y = task.data()
    if who != "native":
        model = model_of(who, task)
        return [lambda: model.fit(x, y, batch_size=task.batch, verbose=0)]
    TASKS["deep"] = task  # what the loops by hand look up
    ways = native_epochs(framework, "deep", x, y)
    return [ways[way]() for way in NATIVE_WAYS[framework]]


def _milliseconds(epoch: Callable[[], Any], steps: int) -> float:
    """Return the time of a step in the best epoch after the first; at least two are measured where they are short."""
    epoch()
    times = [seconds_of(epoch)]
    while sum(times) < MEASURED_SECONDS and len(times) < 3:
        times.append(seconds_of(epoch))
    return 1000 * min(times) / steps


def scaling(who: str, framework: str, axis: str) -> dict[str, Any]:
    """Return milliseconds a step at each place of an axis."""
    result = {}
    for value in AXES[axis]:
        task = _task(size_on(axis, value))
        times = [_milliseconds(epoch, task.steps) for epoch in _epochs(who, framework, task)]
        result[str(value)] = min(times)
    return result
