"""The section scaling: how the time of a step grows with batch, width, depth and rows.

Multilayer perceptrons with relu and Adam, all the same but for one size at a time. The loops by hand are those of the
task "deep", which take layers of any number and width; of the ways that they know, those are measured that are good
for such models.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.measures import (
    Ways,
    asked_ways,
    epochs_of_fit,
    library,
    milliseconds_a_step,
    model_of,
    native_epochs,
    native_seconds,
)
from benchmarks.tasks import TASKS, Task

FEATURES = 32
AXES: dict[str, tuple[int, ...]] = {
    "batch": (1, 4, 16, 64, 256, 1024, 4096),
    "width": (8, 32, 128, 512, 2048),
    "depth": (1, 5, 30, 200),
    "rows": (2**10, 2**13, 2**16, 2**20),
}
# Those that pay for such models. A step at a time never does, and `torch.compile` takes a minute at each size.
NATIVE_WAYS: dict[str, list[str]] = {
    "jax": ["scan", "scan, LLVM 2"],
    "tensorflow": ["loop in the graph", "loop in the graph, XLA"],
    "torch": ["epoch permuted", "one thread", "memory kept", "memory kept, one thread"],
}
EPOCH_FLOPS = 4e9
MOST_LAYER_STEPS = 1500


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

    @property
    def epochs(self) -> int:
        """Epochs that are measured, the first included; of a million rows fewer, which are long enough."""
        return 4 if self.rows else 6


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


def _native_steps(framework: str, value: str, task: Task, epochs: int, ways: Ways | None) -> dict[str, float]:
    """Return milliseconds a step by each way by hand that is good for such models, or that is asked for."""
    x, y = task.data()
    makers = native_epochs(framework, "deep", task, x, y)
    wanted = asked_ways(value, makers, {value: NATIVE_WAYS[framework]} | dict(ways or {}))
    return {way: milliseconds_a_step(native_seconds(make, epochs)[0], task.steps) for way, make in wanted.items()}


def _steps(who: str, task: Task, epochs: int) -> float:
    x, y = task.data()
    model = model_of(who, task)
    seconds, _ = epochs_of_fit(library(who), model, epochs, x=x, y=y, batch_size=task.batch)
    return milliseconds_a_step(seconds, task.steps)


def scaling(who: str, framework: str, axis: str, ways: Ways | None = None) -> dict[str, Any]:
    """Return milliseconds a step at each place of an axis, by the rule of the section train.

    That is one `fit` of several epochs with a mark at the end of each, of which the first does not count, and the
    median of the others: the beginning of `fit` is in no step.
    """
    places = {str(value): size_on(axis, value) for value in AXES[axis]}
    if who != "native":
        return {value: _steps(who, _task(size), size.epochs) for value, size in places.items()}
    by_way = {value: _native_steps(framework, value, _task(size), size.epochs, ways) for value, size in places.items()}
    return {"ways": by_way}
