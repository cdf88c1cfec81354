"""The section scaling: how the time of a step grows with batch, width, depth and rows.

Perceptrons with relu and Adam, all the same but for one size at a time. The loops by hand are those of the task "deep".
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.measures import Ways, asked_ways, fitted, milliseconds_a_step, native_epochs, native_seconds
from benchmarks.tasks import TASKS, Task

FEATURES = 32
AXES: dict[str, tuple[int, ...]] = {
    "batch": (1, 4, 16, 64, 256, 1024, 4096),
    "width": (8, 32, 128, 512, 2048),
    "depth": (1, 5, 30, 200),
    "rows": (2**10, 2**13, 2**16, 2**20),
}
# Those that pay for such models: `torch.compile` takes a minute at each size.
NATIVE_WAYS: dict[str, list[str]] = {
    "jax": ["scan", "scan, LLVM 2"],
    "tensorflow": ["loop in the graph", "loop in the graph, XLA"],
    "torch": ["as it comes", "switches", "switches, one thread"],
}
EPOCH_FLOPS = 4e9
MOST_LAYER_STEPS = 1500


def _network(k: Any, width: int, depth: int) -> Any:
    hidden = [k.layers.Dense(width, activation="relu") for _ in range(depth)]
    return k.Sequential([k.Input((FEATURES,)), *hidden, k.layers.Dense(1, activation="sigmoid")])


def _inputs(rng: np.random.Generator, rows: int) -> np.ndarray:
    return rng.standard_normal((rows, FEATURES), dtype="float32")


def place(axis: str, value: int) -> tuple[Task, int]:
    """Return the network at a place on an axis, and the epochs to measure, the first included.

    Where rows grow, batches are large, as one would have them; elsewhere there are as many steps as tell the time of
    one.
    """
    size = {"batch": 256 if axis == "rows" else 32, "width": 64, "depth": 3, "rows": 0} | {axis: value}
    weights = size["width"] * (FEATURES + size["width"] * (size["depth"] - 1))
    fewest = min(EPOCH_FLOPS / (6 * size["batch"] * weights), MOST_LAYER_STEPS / size["depth"])
    steps = size["rows"] // size["batch"] or int(min(256, max(16, fewest)))
    model = partial(_network, width=size["width"], depth=size["depth"])
    task = replace(TASKS["deep"], label="", model=model, inputs=_inputs, batch=size["batch"], steps=steps)
    return task, 4 if axis == "rows" else 6


def _native_steps(framework: str, value: str, task: Task, epochs: int, ways: Ways | None) -> dict[str, float]:
    """Return milliseconds a step by each way by hand that is good for such models, or that is asked for."""
    makers = native_epochs(framework, "deep", task, *task.data())
    wanted = asked_ways(value, makers, {value: NATIVE_WAYS[framework]} | dict(ways or {}))
    return {way: milliseconds_a_step(native_seconds(make, epochs)[0], task.steps) for way, make in wanted.items()}


def scaling(who: str, framework: str, axis: str, ways: Ways | None = None) -> dict[str, Any]:
    """Return milliseconds a step at each place of an axis, by the rule of the section train."""
    places = {str(value): place(axis, value) for value in AXES[axis]}
    if who == "native":
        return {"ways": {value: _native_steps(framework, value, *own, ways) for value, own in places.items()}}
    seconds = {value: fitted(who, task, epochs)[2] for value, (task, epochs) in places.items()}
    return {value: milliseconds_a_step(seconds[value], task.steps) for value, (task, _) in places.items()}
