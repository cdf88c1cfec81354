"""JAX with two devices in each process: what its workers are, in collective functions and in other code."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from helpers.workers import tell

sys.path.insert(0, str(Path(__file__).parent))
from collectives_job import job

from polykeras.backend import registry

backend: Any = registry.current()
here = replace(job(), devices=("cpu:0", "cpu:1"))
backend.connect(here)


def lists(tree: dict[str, Any]) -> dict[str, Any]:
    """Return the arrays as lists."""
    return {name: backend.to_numpy(x).tolist() for name, x in tree.items()}


def seen(batch: Any) -> dict[str, Any]:
    """Return what all workers see."""
    numbers = backend.asarray([backend.workers(), backend.local_workers()])
    found = {"index": backend.worker_index(), "rows": batch["x"][:, 0], "numbers": numbers}
    return {name: backend.all_gather(x) for name, x in found.items()}


x = np.arange(16, dtype=np.float32)[:, None]
data = {"x": backend.asarray(x)}
indices = np.arange(16, dtype=np.int32).reshape(2, 8)[:, here.rank :: here.size]
run = backend.compile_steps(lambda state, batch: ([state[0] + 1], seen(batch)), collective=True)
state, steps = run([backend.place(np.zeros(3, np.float32))], data, indices, 0, 1)
state, steps = run(state, data, indices, 1, 2)  # the state is donated, and what it was made of is gone

program = backend.compile(lambda state, batch: seen(batch), collective=True)
batches = program([], {"x": x[here.rank :: here.size]})
try:
    program([], {"x": x[:3]})
except ValueError as error:
    message = str(error)
alone = {"gather": backend.all_gather(backend.asarray(here.rank)), "index": backend.worker_index()}
sizes = [backend.workers(), backend.local_workers()]
found = {"steps": lists(steps), "batches": lists(batches), "alone": lists(alone), "sizes": sizes}
backend.disconnect()
tell(here.rank, {**found, "message": message, "state": backend.to_numpy(state[0]).tolist()})
