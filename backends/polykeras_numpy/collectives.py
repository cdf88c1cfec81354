"""Sums over the processes of MPI, by mpi4py."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras.backend.families.collectives import Collectives
from polykeras.backend.job import Job
from polykeras.backend.spec import Array

_communicator: Any = None  # of mpi4py; None until `connect`


class NumpyCollectives(Collectives):
    """See `polykeras.backend.families.collectives`."""

    def connect(self, job: Job) -> None:
        global _communicator
        try:
            from mpi4py import MPI
        except ImportError as error:
            raise ImportError(
                "Several processes on the numpy backend need mpi4py: `pip install mpi4py`, and an MPI library, for "
                "instance `pip install mpich`. Start them with `mpiexec -n 2 python train.py`."
            ) from error
        world = MPI.COMM_WORLD
        if (world.rank, world.size) != (job.rank, job.size):
            raise RuntimeError(
                f"Expected process {job.rank} of {job.size}; MPI says process {world.rank} of {world.size}. Start the "
                f"processes of the numpy backend with MPI: `mpiexec -n {job.size} python train.py`."
            )
        _communicator = world

    def disconnect(self) -> None:
        global _communicator
        _communicator = None  # MPI itself ends with the process

    def workers(self) -> int:
        return 1 if _communicator is None else _communicator.size

    def worker_index(self) -> Array:
        return np.asarray(0 if _communicator is None else _communicator.rank, np.int32)

    def sum_over_workers(self, x: Array) -> Array:
        if _communicator is None:
            return x
        return _communicator.allreduce(x)
