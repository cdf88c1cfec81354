"""Sums over the devices of JAX's processes."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from polykeras.backend.families.collectives import Collectives
from polykeras.backend.job import Job
from polykeras.backend.spec import Array


class JaxCollectives(Collectives):
    """See `polykeras.backend.families.collectives`."""

    def connect(self, job: Job) -> None:
        jax.distributed.initialize(job.coordinator, job.size, job.rank)

    def disconnect(self) -> None:
        jax.distributed.shutdown()

    def workers(self) -> int:
        return jax.process_count()

    def worker_index(self) -> Array:
        return jnp.int32(jax.process_index())

    def sum_over_workers(self, x: Array) -> Array:
        raise NotImplementedError
