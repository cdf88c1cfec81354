"""Sums over the processes of MPI, by mpi4py."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras.backend.families.collectives import Collectives
from polykeras.backend.job import Job
from polykeras.backend.spec import Array

_HALVES = ("float16", "bfloat16")  # MPI lacks them; float32 holds all their values

_communicator: Any = None  # of mpi4py; None while nothing is connected


class NumpyCollectives(Collectives):
    """See `polykeras.backend.families.collectives`. Where a process is lost, MPI's launcher ends all others."""

    def connect(self, job: Job) -> None:
        global _communicator
        try:
            from mpi4py import MPI
        except (ImportError, RuntimeError) as error:  # the latter without an MPI library
            raise ImportError(
                "Several processes on the numpy backend need mpi4py: `pip install mpi4py`, and an MPI library, for "
                f"instance `pip install mpich`. Start them with `mpiexec -n {job.size} python train.py`. ({error})"
            ) from error
        world = MPI.COMM_WORLD
        if (world.rank, world.size) != (job.rank, job.size):
            raise RuntimeError(
                f"Expected process {job.rank} of {job.size}; MPI says process {world.rank} of {world.size}. Start the "
                f"processes of the numpy backend with MPI: `mpiexec -n {job.size} python train.py`."
            )
        _communicator = world

    def disconnect(self, failed: bool = False) -> None:
        global _communicator
        if failed and _communicator is not None:
            # MPI waits for all processes at the end of each. It is told to end all of them instead
            # (https://mpi4py.readthedocs.io/en/stable/mpi4py.run.html).
            from mpi4py.run import set_abort_status

            set_abort_status(1)
        _communicator = None  # MPI itself ends with the process

    def workers(self) -> int:
        return 1 if _communicator is None else _communicator.size

    def worker_index(self) -> Array:
        return np.asarray(0 if _communicator is None else _communicator.rank, np.int32)

    def sum_over_workers(self, x: Array) -> Array:
        if _communicator is None:
            return x
        if x.dtype.name in _HALVES:
            return self.sum_over_workers(x.astype(np.float32)).astype(x.dtype)
        total = np.empty(x.shape, x.dtype)
        _communicator.Allreduce(np.ascontiguousarray(x), total)  # the MPI standard requires the same bits everywhere
        return total
