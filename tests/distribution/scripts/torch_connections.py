"""Each worker connects in several ways, and prints what it found."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from helpers.workers import tell
from polykeras.backend import registry
from polykeras.backend.job import Job

backend: Any = registry.current()
RANK, SIZE = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


def job(port: int, size: int = SIZE) -> Job:
    """Return the processes, which meet at a port."""
    return Job(RANK, size, f"127.0.0.1:{int(os.environ['MASTER_PORT']) + port}", timeout=30.0)


def total() -> float:
    """Return the sum of 1 and 2."""
    return float(backend.sum_over_workers(torch.tensor(1.0 + RANK)))


def threads() -> int:
    """Return how many threads of gloo there are."""
    return sum("gloo" in path.read_text() for path in Path("/proc/self/task").glob("*/comm"))


def main() -> None:
    found: dict[str, Any] = {"alone": [backend.workers(), total()]}
    for port in (1, 2):  # a second connection after the first has ended
        backend.connect(job(port))
        backend.connect(replace(job(port), devices=("cpu:0",)))  # once more, as for other devices
        found[f"own {port}"] = [backend.workers(), int(backend.worker_index()), total()]
        backend.lay_out(torch.ones(2, 4), np.array(["cpu:0", "cpu:1"]), ["model"], [None, "model"])
        torch.optim.SGD([torch.zeros(1)])  # which imports parts of torch that hold the group
        backend.disconnect()
        found[f"ended {port}"] = [backend.workers(), total(), dist.is_initialized(), threads()]

    dist.init_process_group("gloo")  # by the user, from the environment
    found["not connected"] = [backend.workers(), total()]
    try:
        backend.connect(job(3, SIZE + 1))
    except RuntimeError as error:
        found["error"] = str(error)
    backend.connect(job(3))
    found["adopted"] = [backend.workers(), int(backend.worker_index()), total()]
    backend.disconnect()
    users = torch.ones(1)
    dist.all_reduce(users)
    found["left"] = [backend.workers(), float(users)]
    dist.destroy_process_group()
    tell(RANK, found)


main()
