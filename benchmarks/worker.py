"""One measurement, in a process of its own: `python -m benchmarks.worker WHO FRAMEWORK TASK`.

Prints one line of JSON: milliseconds a step (the median of the epochs after the first), seconds of the first epoch
(tracing and compiling included), and the losses of the first epochs, by which the loops are checked against each other.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from typing import Any

EPOCHS = 5


def _measure(epoch: Any, steps: int) -> dict[str, Any]:
    losses, seconds = [], []
    for _ in range(EPOCHS):
        begin = time.perf_counter()
        losses.append(epoch())
        seconds.append(time.perf_counter() - begin)
    rest = sorted(seconds[1:])
    return {"ms": 1000 * rest[len(rest) // 2] / steps, "first_epoch_s": seconds[0], "losses": losses}


def _fit_epochs(model: Any, x: Any, y: Any, batch: int) -> Any:
    def epoch() -> float:
        return model.fit(x, y, batch_size=batch, epochs=1, verbose=0, shuffle=True).history["loss"][0]

    return epoch


def main() -> None:
    """Measure what the command line names."""
    who, framework, task_name = sys.argv[1:4]
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["KERAS_BACKEND"] = os.environ["POLYKERAS_BACKEND"] = framework
    from benchmarks.tasks import TASKS

    task = TASKS[task_name]
    x, y = task.data()
    if who == "native":
        native = importlib.import_module(f"benchmarks.native_{framework}")
        epoch = native.epoch_function(task_name, x, y, task.batch)
    else:
        k = importlib.import_module({"keras": "keras", "polykeras": "polykeras"}[who])
        k.ops.ones((1,))  # polykeras loads a framework when it is first needed, Keras on import: neither is an epoch
        k.utils.set_random_seed(0)
        epoch = _fit_epochs(task.build(k), x, y, task.batch)
    print(json.dumps(_measure(epoch, task.steps)))


if __name__ == "__main__":
    main()
