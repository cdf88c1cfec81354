"""Sums over the devices of JAX's processes."""

from __future__ import annotations

import os
from collections.abc import Callable
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
from polykeras_jax.compiling import compiled
from polykeras_jax.private import forget_connection
from polykeras_jax.traces import current_trace
from polykeras_jax.workers import AXIS, Group, lost_workers_named, meet, of_this_process


@dataclass(frozen=True, slots=True)
class _Connection:
    """What `connect` found or made.

    Attributes:
        workers: all workers, which run programs together.
        processes: the first worker of each process. They stand for the processes in code that each process runs once.
        ours: whether polykeras connected JAX.
    """

    workers: Group
    processes: Group
    ours: bool


_connection: _Connection | None = None
_TIMEOUT = "xla_cpu_collective_timeout_seconds"


def group() -> Group | None:
    """Return the workers; None if there is only one."""
    return None if _connection is None or _connection.workers.size == 1 else _connection.workers


# ---- connections -----------------------------------------------------------------------------------------------------


def _initialize(job: Job) -> bool:
    """Connect JAX's processes; return whether that was needed."""
    if job.size == 1 or jax.distributed.is_initialized():
        return False
    if "JAX_ENABLE_PREEMPTION_SERVICE" not in os.environ:
        # This service catches SIGTERM, so that the signal neither ends the process nor reaches Python's handlers.
        jax.config.update("jax_enable_preemption_service", False)
    seconds = max(1, round(job.timeout))
    flags = os.environ.get("XLA_FLAGS", "")
    if _TIMEOUT not in flags:  # XLA reads this when its first device is made; no program's option replaces it
        os.environ["XLA_FLAGS"] = f"{flags} --{_TIMEOUT}={seconds}".lstrip()
    try:
        jax.distributed.initialize(
            job.coordinator,
            job.size,
            job.rank,
            local_device_ids=_own_gpu(job),
            cluster_detection_method="deactivate",
            initialization_timeout=seconds,
            # A process without heartbeats makes JAX end the others. Sums end before that, with an exception.
            heartbeat_timeout_seconds=2 * seconds,
            shutdown_timeout_seconds=seconds,
        )
    except RuntimeError as error:
        if "must be called before" in str(error):
            raise RuntimeError(
                "This process has used JAX already, and its devices can no longer be connected with those of other "
                "processes. Call `keras.distribution.initialize()` first, before any array is made."
            ) from error
        raise RuntimeError(
            f"Process {job.rank} of {job.size} did not find all others within {seconds} s. It looked for process 0 at "
            f"{job.coordinator}. Start all of them, and give all the same address, which each can reach. ({error})"
        ) from error
    return True


def _own_gpu(job: Job) -> int | None:
    """Return the number of the only GPU that JAX may use in this process; None for all that it sees."""
    sees_one = "CUDA_VISIBLE_DEVICES" in os.environ and "," not in os.environ["CUDA_VISIBLE_DEVICES"]
    return None if job.devices or sees_one else job.local_rank


def _connect(job: Job, ours: bool) -> _Connection:
    if (jax.process_index(), jax.process_count()) != (job.rank, job.size):
        raise RuntimeError(
            f"Expected JAX to run as process {job.rank} of {job.size}; it runs as process {jax.process_index()} of "
            f"{jax.process_count()}. Give these numbers, or let polykeras connect JAX."
        )
    chosen = [find_device(name) for name in job.devices] or jax.local_devices()[:1]
    kinds = sorted({device.platform for device in chosen})
    if len(kinds) > 1:
        raise ValueError(f"Expected devices of one kind; received {', '.join(job.devices)}.")
    places = [jax.local_devices(backend=kinds[0]).index(device) for device in chosen]
    of_processes = [jax.local_devices(process, kinds[0]) for process in range(job.size)]
    devices = [of_processes[process][place] for place in places for process in range(job.size)]
    return _Connection(Group(devices, job.timeout), Group(devices[: job.size], job.timeout), ours)


# ---- sums in code that each process runs once ------------------------------------------------------------------------


@lru_cache
def _sum_of(processes: Group) -> Callable[..., Any]:
    return compiled(processes.over_all(lambda _, x: lax.psum(x, AXIS)))


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
    with lost_workers_named(processes.timeout):
        return of_this_process(_sum_of(processes)(None, processes.own([x[None]])))[0]


@jax.custom_vjp
def _sum_over_processes(x: Array) -> Array:
    return _eager_sum(x)


_sum_over_processes.defvjp(
    lambda x: (_sum_over_processes(x), None),
    lambda _, upstream: (_sum_over_processes(upstream),),  # each process's part goes to all sums
)


# ---- the family ------------------------------------------------------------------------------------------------------


class JaxCollectives(Collectives):
    """See `polykeras.backend.families.collectives`."""

    def connect(self, job: Job) -> None:
        global _connection
        ours = _initialize(job) or (_connection is not None and _connection.ours)
        _connection = _connect(job, ours)
        for workers in (_connection.processes, _connection.workers):
            meet(workers.mesh, workers.timeout)

    def disconnect(self, failed: bool = False) -> None:
        global _connection
        ours = _connection is not None and _connection.ours
        _connection = None
        if ours and failed:
            forget_connection()
        elif ours:
            jax.distributed.shutdown()  # which waits for the other processes

    def workers(self) -> int:
        if _connection is None:
            return 1
        return (_connection.workers if current_trace().in_workers else _connection.processes).size

    def local_workers(self) -> int:
        return 1 if _connection is None or current_trace().in_workers else len(_connection.workers.local)

    def worker_index(self) -> Array:
        return lax.axis_index(AXIS) if current_trace().in_workers else jnp.int32(jax.process_index())

    def sum_over_workers(self, x: Array) -> Array:
        return lax.psum(x, AXIS) if current_trace().in_workers else _sum_over_processes(x)

    def _differentiable_sum(self, x: Array) -> Array:
        return self.sum_over_workers(x)
