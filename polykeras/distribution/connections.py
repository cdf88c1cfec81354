"""Which run this process belongs to, and the backends that are connected with the other processes."""

from __future__ import annotations

import atexit
import sys
import threading
from dataclasses import replace

import numpy as np

from polykeras import seeds
from polykeras.backend import Backend, registry
from polykeras.backend.job import Job
from polykeras.distribution import hosts
from polykeras.distribution.environment import ALONE, find_job

_lock = threading.RLock()
_job: Job | None = None  # until `initialize`
_connected: dict[str, tuple[Backend, Job]] = {}  # by name, in the order of connection, which all processes share
_cutting: list[Backend] = []  # those on which this process has cut weights over processes
_left = False  # whether this process ends in the middle of a run, without an error


def initialize(
    job_addresses: str | None = None, num_processes: int | None = None, process_id: int | None = None
) -> None:
    """Connect this process with the others of its run. Call it first, before any computation.

    Without arguments, it reads what a launcher told this process: Keras's variables `KERAS_DISTRIBUTION_*`, those of
    torchrun, JAX's, `TF_CONFIG`, those of MPI, and those of SLURM's `srun`, in this order. A program that nobody
    launched runs alone, as one process.

    The current backend is connected now, each other one when it runs for the first time. If no seed was set, all
    processes go on with the seed of process 0.

    Args:
        job_addresses: `"host:port"` of all processes, in their order, with commas between them; or that of process 0
            alone, which TensorFlow does not take. None reads `KERAS_DISTRIBUTION_JOB_ADDRESSES`.
        num_processes: how many processes there are. None reads `KERAS_DISTRIBUTION_NUM_PROCESSES`.
        process_id: the number of this process, from 0. None reads `KERAS_DISTRIBUTION_PROCESS_ID`.

    Raises:
        ValueError: what was told is incomplete, malformed or contradictory.
        RuntimeError: the other processes could not be reached, or another run was initialized before.

    Example:
        >>> import polykeras as keras
        >>> keras.distribution.initialize()  # in a process that nobody launched
        >>> keras.distribution.get_device_count("cpu")
        1
    """
    global _job
    found = find_job(job_addresses=job_addresses, num_processes=num_processes, process_id=process_id)
    with _lock:
        if _connected and current_job() != found:
            raise RuntimeError(
                f"initialize: expected the run that this process belongs to already, {current_job()}; received {found}."
            )
        before, _job = _job, found
        if found.size == 1 or _connected:
            return
        backend = registry.current()
        try:
            connected(backend)
            _share_seed(backend)
        except BaseException:
            _job = before
            raise


def current_job() -> Job:
    """Return the run of this process: that of one process if `initialize` was not called."""
    return _job or ALONE


def connected(backend: Backend, devices: tuple[str, ...] | None = None, cuts_weights: bool = False) -> bool:
    """Connect a backend with the other processes of the run, unless it is. All processes must call this.

    Args:
        backend: the backend.
        devices: the devices of this process that are workers, as in `Job.devices`; None leaves them as they are.
        cuts_weights: whether weights are cut over the processes from now on; they stay so.

    Returns:
        whether it has several workers now.

    Raises:
        ImportError: its engine is a package that is not installed.
        RuntimeError: the connection failed.
    """
    with _lock:
        job = current_job()
        before = _connected.get(backend.name)
        if before is not None:
            if devices is not None and before[1].devices != devices:
                _connect(backend, replace(before[1], devices=devices))
        elif job.size > 1 or devices:
            _connect(backend, replace(_shifted(job, len(_connected)), devices=devices or ()))
        if cuts_weights and backend not in _cutting:
            _cutting.append(backend)
    return backend.workers() * backend.local_workers() > 1


def backends_of_parts() -> list[Backend]:
    """Return the backends on which processes have parts of weights, the latest last."""
    return _cutting


def note_leaving(leaves: bool) -> None:
    """Note whether this process leaves the middle of a run by `sys.exit`, which leaves no trace at its end."""
    global _left
    _left = leaves


def _connect(backend: Backend, job: Job) -> None:
    try:
        backend.connect(job)
    except Exception as error:
        if job.size > 1 and not job.coordinator:
            error.add_note("MPI does not tell where process 0 runs: set MASTER_ADDR and MASTER_PORT to its host.")
        raise
    if not _connected:
        atexit.register(_disconnect)
    _connected[backend.name] = backend, job


def _shifted(job: Job, place: int) -> Job:
    """Return the job at other ports: each backend that is connected has its own ones."""
    if not place:
        return job
    step = place * (job.size + 1)  # more than all ports of one backend, if all processes are on one host

    def shift(address: str) -> str:
        host, port = hosts.split(address, "initialize")
        if port + step > 65535:
            raise ValueError(f"initialize: no ports are left after {address}. Choose lower ones.")
        return f"{host}:{port + step}"

    coordinator = shift(job.coordinator) if job.coordinator else ""
    return replace(job, coordinator=coordinator, addresses=tuple(map(shift, job.addresses)))


def _share_seed(backend: Backend) -> None:
    """Give the seed of process 0 to all processes that have none. All take part, whether they have one or not."""
    own = seeds.process_seed()
    words = np.array([seeds.draw_seed() if own is None else own], np.uint64).view("int32")
    (shared,) = backend.broadcast([backend.asarray(words)])
    if own is None:
        seeds.set_process_seed(int(backend.to_numpy(shared).view("uint64")[0]))


def _disconnect() -> None:
    """End the connections at the end of the process, the latest first.

    Engines wait for the other processes then. After an error those may never come, so this process does not wait.
    """
    failed = _left or getattr(sys, "last_value", None) is not None  # the error that ended the program
    while _connected:
        _, (backend, _) = _connected.popitem()
        backend.disconnect(failed)
