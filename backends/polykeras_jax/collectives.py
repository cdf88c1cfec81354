"""Sums over the devices of JAX's processes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.core import Tracer

from polykeras.backend.families.collectives import Collectives
from polykeras.backend.job import Job
from polykeras.backend.spec import Array
from polykeras_jax.arrays import find_device
from polykeras_jax.workers import AXIS, Group, inside_program, of_this_process


@dataclass(frozen=True, slots=True)
class _Connection:
    """What `connect` made.

    Attributes:
        workers: all workers, which run programs together.
        processes: the first worker of each process. They stand for the processes in code that each process runs once.
        ours: whether JAX was connected by polykeras.
    """

    workers: Group
    processes: Group
    ours: bool


_connection: _Connection | None = None


def group() -> Group | None:
    """Return the workers; None if there is only one."""
    return None if _connection is None or _connection.workers.size == 1 else _connection.workers


def _initialize(job: Job) -> bool:
    """Connect JAX's processes; return whether that was needed."""
    if job.size == 1 or jax.distributed.is_initialized():
        return False
    if "JAX_ENABLE_PREEMPTION_SERVICE" not in os.environ:
        # With this service, SIGTERM no longer ends the process, and Python's handlers of it are not called.
        jax.config.update("jax_enable_preemption_service", False)
    seconds = max(1, round(job.timeout))
    try:
        jax.distributed.initialize(
            job.coordinator,
            job.size,
            job.rank,
            cluster_detection_method="deactivate",
            initialization_timeout=seconds,
            heartbeat_timeout_seconds=seconds,
            shutdown_timeout_seconds=seconds,
        )
    except RuntimeError as error:
        if "must be called before" not in str(error):
            raise
        raise RuntimeError(
            "This process has used JAX already, and its devices cannot be connected with those of other processes any "
            "more. Call `keras.distribution.initialize()` first, before any array is made."
        ) from error
    return True


def _local_devices(job: Job) -> list[Any]:
    return [find_device(name) for name in job.devices] or jax.local_devices()[:1]


def _connected(job: Job, ours: bool) -> _Connection:
    if jax.process_count() != job.size or jax.process_index() != job.rank:
        raise RuntimeError(
            f"Expected JAX to run as process {job.rank} of {job.size}; it runs as process {jax.process_index()} of "
            f"{jax.process_count()}. Give these numbers, or let polykeras connect JAX."
        )
    places = [jax.local_devices().index(device) for device in _local_devices(job)]
    each = [jax.local_devices(process) for process in range(job.size)]
    devices = [each[process][place] for place in places for process in range(job.size)]
    return _Connection(Group(devices), Group(devices[: job.size]), ours)


@lru_cache
def _sum_of(processes: Group) -> Any:
    return jax.jit(processes.over_all(lambda _, x: lax.psum(x, AXIS)))


def _eager_sum(x: Array) -> Array:
    if _connection is None or _connection.workers.size == 1:
        return x
    if isinstance(x, Tracer):
        raise TypeError(
            "A sum over workers was called in a function that is traced for one worker. Compile the function with "
            "collective=True."
        )
    processes = _connection.processes
    if processes.size == 1:
        return x
    return of_this_process(_sum_of(processes)(None, processes.own([x[None]])))[0]


@jax.custom_vjp
def _sum_over_processes(x: Array) -> Array:
    return _eager_sum(x)


_sum_over_processes.defvjp(
    lambda x: (_sum_over_processes(x), None), lambda _, upstream: (_sum_over_processes(upstream),)
)


class JaxCollectives(Collectives):
    """See `polykeras.backend.families.collectives`."""

    def connect(self, job: Job) -> None:
        global _connection
        if _connection is None:
            _connection = _connected(job, _initialize(job))

    def disconnect(self) -> None:
        global _connection
        if _connection is not None and _connection.ours:
            jax.distributed.shutdown()
        _connection = None

    def workers(self) -> int:
        if _connection is None:
            return 1
        return (_connection.workers if inside_program() else _connection.processes).size

    def local_workers(self) -> int:
        return 1 if _connection is None or inside_program() else len(_connection.workers.local)

    def worker_index(self) -> Array:
        return lax.axis_index(AXIS) if inside_program() else jnp.int32(jax.process_index())

    def sum_over_workers(self, x: Array) -> Array:
        return lax.psum(x, AXIS) if inside_program() else _sum_over_processes(x)

    def _differentiable_sum(self, x: Array) -> Array:
        return self.sum_over_workers(x)
