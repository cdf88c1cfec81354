"""Each worker runs chunks of steps without end, in which arrays are added up over workers."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np

from polykeras.backend import registry
from polykeras.backend.job import Job

backend: Any = registry.current()
rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
backend.connect(Job(rank, size, f"127.0.0.1:{os.environ['MASTER_PORT']}", timeout=float(sys.argv[1])))


def step(state: list[Any], batch: Any) -> tuple[list[Any], dict[str, Any]]:
    """Move the state by the mean of all batches."""
    (mean,) = backend.all_reduce([backend.mean(batch, axis=0)], "mean")
    return [backend.add(state[0], mean)], {}


data = backend.place(np.ones((64, 1000), np.float32))
indices = backend.place(np.zeros((100, 8), np.int32))
run = backend.compile_steps(step, collective=True)
state = [backend.place(np.zeros(1000, np.float32))]
while True:
    state, _ = run(state, data, indices, 0, 100)
    print("CHUNK", flush=True)
