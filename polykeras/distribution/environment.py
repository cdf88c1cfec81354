"""What launchers tell a process of its run, in environment variables.

`LAUNCHERS` lists who is asked, in this order. The first ones tell each process exactly what it is; if two of them
speak, they must agree. The last ones also start other launchers, one on each machine, and are asked if nobody else
speaks.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from polykeras.backend.job import Job
from polykeras.distribution import hosts

Environment = Mapping[str, str]

TIMEOUT = "POLYKERAS_WORKER_TIMEOUT"
ALONE = Job(0, 1, "")
"""The job of a process that nobody launched."""

_KERAS = tuple(f"KERAS_DISTRIBUTION_{name}" for name in ("JOB_ADDRESSES", "NUM_PROCESSES", "PROCESS_ID"))
_JAX = tuple(f"JAX_{name}" for name in ("COORDINATOR_ADDRESS", "NUM_PROCESSES", "PROCESS_ID"))
_OPEN_MPI = ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE")
_MPICH = ("PMI_RANK", "PMI_SIZE")
_STEP = "SLURM_STEP_NUM_TASKS"  # set for what `srun` starts
_DEFAULT_PORT = 29500  # torchrun's


@dataclass(frozen=True)
class Launcher:
    """Who starts the processes of a run.

    Attributes:
        name: for messages.
        marks: variables of which one is enough to say that this launcher speaks.
        read: returns the job, or None if the variables say nothing.
        local_ranks: variables that may hold the number of the process on its machine.
        starts_launchers: whether its processes may be launchers themselves, whose word counts then.
    """

    name: str
    marks: tuple[str, ...]
    read: Callable[[Environment], Job | None]
    local_ranks: tuple[str, ...] = ()
    starts_launchers: bool = False


def find_job(
    environment: Environment = os.environ,
    job_addresses: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
) -> Job:
    """Return the job of this process; `ALONE` if nobody tells of one.

    Args:
        environment: the variables.
        job_addresses: as in `initialize`. If one of the three arguments is given, no launcher but Keras's variables is
            asked.
        num_processes: as in `initialize`.
        process_id: as in `initialize`.

    Raises:
        ValueError: variables are missing, malformed, or contradict each other.
    """
    if (job_addresses, num_processes, process_id) != (None, None, None):
        job = _keras(environment, job_addresses, num_processes, process_id)
    else:
        job = _of_launchers(environment)
    return ALONE if job is None else _with_timeout(job, environment)


def _of_launchers(environment: Environment) -> Job | None:
    told: list[tuple[Launcher, Job]] = []
    for launcher in LAUNCHERS:
        speaks = any(environment.get(mark) for mark in launcher.marks)
        if speaks and not (told and launcher.starts_launchers):
            job = launcher.read(environment)
            if job is not None:
                local = [_int(environment, name) for name in _set(environment, launcher.local_ranks)]
                told.append((launcher, replace(job, local_rank=local[0]) if local else job))
    if not told:
        return None
    first, job = told[0]
    for other, second in told[1:]:
        if (job.rank, job.size) != (second.rank, second.size):
            raise ValueError(
                f"The environment contradicts itself: {first.name} says process {job.rank} of {job.size}, {other.name} "
                f"says process {second.rank} of {second.size}. Unset the variables of one of them: "
                f"{', '.join(_set(environment, first.marks))}, or {', '.join(_set(environment, other.marks))}."
            )
    return job


# ---- one function for each launcher ----------------------------------------------------------------------------


def _keras(
    environment: Environment,
    job_addresses: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
) -> Job:
    """Keras's own variables, each of which an argument of `initialize` replaces."""
    text = job_addresses if job_addresses is not None else environment.get(_KERAS[0], "")
    addresses = tuple(part.strip() for part in text.split(",") if part.strip())
    size, rank = (
        _int(environment, name) if value is None and environment.get(name) else value
        for name, value in zip(_KERAS[1:], (num_processes, process_id), strict=True)
    )
    if size is None and len(addresses) > 1:
        size = len(addresses)
    if size is None or rank is None or not (addresses or size == 1):
        known = {"job_addresses": addresses or None, "num_processes": size, "process_id": rank}
        missing = [f"`{name}` ({_KERAS[place]})" for place, name in enumerate(known) if known[name] is None]
        raise ValueError(
            f"initialize: expected the addresses, the number and the id of the processes; {', '.join(missing)} is "
            "missing. Give all three, as arguments or in the environment, or none where a launcher tells them."
        )
    if len(addresses) > 1 and len(addresses) != size:
        raise ValueError(
            f"initialize: expected one address for each of the {size} processes, or that of process 0 alone; received "
            f"{len(addresses)}: {', '.join(addresses)}."
        )
    for address in addresses:
        hosts.split(address, "initialize: `job_addresses`")
    coordinator = addresses[0] if addresses else ""
    return _job("initialize", rank, size, coordinator, addresses if len(addresses) == size else ())


def _torchrun(environment: Environment) -> Job:
    """The variables of torchrun, which others set too, such as Kubernetes's PyTorchJob."""
    _require("torchrun", environment, "RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    rank, size, port = (_int(environment, name) for name in ("RANK", "WORLD_SIZE", "MASTER_PORT"))
    host = environment["MASTER_ADDR"]
    one_machine = hosts.is_local(host) or environment.get("LOCAL_WORLD_SIZE") == str(size)
    return _near("torchrun", rank, size, host, port, one_machine)


def _jax(environment: Environment) -> Job:
    """JAX's own variables."""
    _require("JAX", environment, *_JAX)
    size, rank = (_int(environment, name) for name in _JAX[1:])
    host, port = hosts.split(environment[_JAX[0]], _JAX[0])
    addresses = hosts.consecutive(host, port + 1, size) if hosts.is_local(host) else ()
    return _job("JAX", rank, size, environment[_JAX[0]], addresses)


def _tf_config(environment: Environment) -> Job | None:
    """TensorFlow's TF_CONFIG: a chief, if there is one, is worker 0."""
    try:
        told = json.loads(environment["TF_CONFIG"])
        cluster, task = told.get("cluster") or {}, told.get("task") or {}
        chiefs, workers = list(cluster.get("chief", ())), list(cluster.get("worker", ()))
        if not cluster:
            return None
        kind, index = task["type"], int(task["index"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            'TF_CONFIG: expected JSON such as {"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", '
            f'"index": 0}}}}; received {environment["TF_CONFIG"]!r} ({type(error).__name__}: {error}).'
        ) from error
    if kind not in ("chief", "worker") or "ps" in cluster:
        raise ValueError(
            f"TF_CONFIG: expected tasks of the types 'chief' and 'worker'; received a task of type {kind!r} in a "
            f"cluster of {', '.join(map(repr, cluster))}. Parameter servers and evaluators are not supported: start "
            "workers alone, and evaluate in a process without TF_CONFIG."
        )
    addresses = tuple(map(str, chiefs + workers))
    for address in addresses:
        hosts.split(address, "TF_CONFIG")
    rank = index if kind == "chief" else len(chiefs) + index
    return _job("TF_CONFIG", rank, len(addresses), addresses[0] if addresses else "", addresses)


def _mpi(environment: Environment) -> Job:
    """The variables of Open MPI, or of MPICH and those derived from it."""
    if _set(environment, _OPEN_MPI):
        names, local_size = _OPEN_MPI, "OMPI_COMM_WORLD_LOCAL_SIZE"
    else:
        names, local_size = _MPICH, "MPI_LOCALNRANKS"
    _require("MPI", environment, *names)
    rank, size = (_int(environment, name) for name in names)
    one_machine = environment.get(local_size) == str(size)
    host = environment.get("MASTER_ADDR") or ("localhost" if one_machine else "")
    if not host:
        started = _slurm(environment) if environment.get(_STEP) else None  # `srun` may speak MPI
        if started is not None and (started.rank, started.size) == (rank, size):
            return started
        return _job("MPI", rank, size, "", ())  # MPI itself needs no address
    port = _int(environment, "MASTER_PORT") if environment.get("MASTER_PORT") else _DEFAULT_PORT
    return _near("MPI", rank, size, host, port, one_machine or hosts.is_local(host))


def _slurm(environment: Environment) -> Job | None:
    """SLURM's variables, as `srun` sets them."""
    if not environment.get(_STEP):  # in the script or the shell of a job, where `srun` was not used
        tasks = environment.get("SLURM_NTASKS", "1")
        if tasks == "1":
            return None
        raise ValueError(
            f"SLURM was asked for {tasks} tasks, but this process is none of them: it runs in the script of the job. "
            "Start the tasks with `srun python train.py`, or unset SLURM_PROCID for a run of one process."
        )
    _require("SLURM", environment, "SLURM_PROCID", _STEP, "SLURM_JOB_NODELIST", "SLURM_JOB_ID")
    size = _int(environment, _STEP)
    nodes_name = "SLURM_STEP_NODELIST" if environment.get("SLURM_STEP_NODELIST") else "SLURM_JOB_NODELIST"
    nodes = hosts.expand(environment[nodes_name], nodes_name)
    # Below the ports that systems give out themselves; jobs that run at the same time have other numbers.
    port = 10000 + _int(environment, "SLURM_JOB_ID") * 50 % 20000
    counts = hosts.tasks_of_nodes(environment.get("SLURM_STEP_TASKS_PER_NODE") or f"1(x{len(nodes)})")
    addresses = [f"{node}:{port + 1 + i}" for node, count in zip(nodes, counts, strict=False) for i in range(count)]
    known = addresses if len(addresses) == size else ()
    return _job("SLURM", _int(environment, "SLURM_PROCID"), size, f"{nodes[0]}:{port}", known)


LAUNCHERS = (
    Launcher("Keras", _KERAS, _keras),
    Launcher("torchrun", ("RANK", "WORLD_SIZE"), _torchrun, ("LOCAL_RANK",)),
    Launcher("JAX", _JAX, _jax),
    Launcher("TF_CONFIG", ("TF_CONFIG",), _tf_config),
    Launcher(
        "MPI", (*_OPEN_MPI, *_MPICH), _mpi, ("OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID"), starts_launchers=True
    ),
    Launcher("SLURM", ("SLURM_PROCID",), _slurm, ("SLURM_LOCALID",), starts_launchers=True),
)


# ---- what they have in common ----------------------------------------------------------------------------------


def _near(name: str, rank: int, size: int, host: str, port: int, one_machine: bool) -> Job:
    """Return a job at the ports after `port`, on which the launcher itself may wait."""
    addresses = hosts.consecutive(host, port + 2, size) if one_machine else ()
    return _job(name, rank, size, f"{host}:{port + 1}", addresses)


def _job(name: str, rank: int, size: int, coordinator: str, addresses: Sequence[str]) -> Job:
    if size < 1 or not 0 <= rank < size:
        raise ValueError(f"{name}: expected a process from 0 to the number of processes; received {rank} of {size}.")
    return Job(rank, size, coordinator, tuple(addresses)) if size > 1 else ALONE


def _set(environment: Environment, names: Sequence[str]) -> list[str]:
    return [name for name in names if environment.get(name)]


def _require(launcher: str, environment: Environment, *names: str) -> None:
    missing = [name for name in names if not environment.get(name)]
    if missing:
        raise ValueError(
            f"The environment variables of {launcher} are incomplete: {', '.join(_set(environment, names))} is set, "
            f"{', '.join(missing)} is missing. Set all of them, or none for a run of one process."
        )


def _int(environment: Environment, name: str) -> int:
    text = environment[name].strip()
    if not text.isdecimal():
        raise ValueError(f"The environment variable {name} must be a whole number; received {environment[name]!r}.")
    return int(text)


def _with_timeout(job: Job, environment: Environment) -> Job:
    text = environment.get(TIMEOUT, "").strip()
    if not text:
        return job
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ValueError(f"The environment variable {TIMEOUT} must be seconds, more than 0; received {text!r}.")
    return replace(job, timeout=seconds)
