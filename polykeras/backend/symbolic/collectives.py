"""Collectives on shapes: a sum over workers has the shape of its argument."""

from __future__ import annotations

from polykeras.backend.families.collectives import Collectives
from polykeras.backend.job import Job
from polykeras.backend.spec import Array


class SymbolicCollectives(Collectives):
    """See `polykeras.backend.families.collectives`."""

    def connect(self, job: Job) -> None:
        """Do nothing: shapes have no workers."""

    def disconnect(self, failed: bool = False) -> None:
        """Do nothing."""

    def workers(self) -> int:
        return 1

    def worker_index(self) -> Array:
        return self.zeros((), "int32")

    def sum_over_workers(self, x: Array) -> Array:
        return x
