"""The job that the environment of a test describes."""

from __future__ import annotations

import os

from polykeras.backend.job import Job


def job() -> Job:
    """Return the job that the environment describes, of torchrun's variables or of MPI's."""
    size = int(os.environ.get("WORLD_SIZE") or os.environ["PMI_SIZE"])
    rank = int(os.environ.get("RANK") or os.environ["PMI_RANK"])
    host, port = os.environ.get("MASTER_ADDR", "127.0.0.1"), int(os.environ.get("MASTER_PORT", "0"))
    return Job(rank, size, f"{host}:{port}", tuple(f"{host}:{port + 1 + i}" for i in range(size)), timeout=60.0)
