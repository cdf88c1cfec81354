"""Sums over the processes of `torch.distributed`."""

from __future__ import annotations

import atexit
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from polykeras.backend.families.collectives import Collectives
from polykeras.backend.job import Job, WorkerLost
from polykeras_torch.arrays import current_device, find_device, use_by_default
from polykeras_torch.compiler.operators import SUM_OVER_WORKERS
from polykeras_torch.layouts import forget_meshes

# Gloo lacks some of these dtypes, and adds halves up in halves. The wider ones hold all their values.
_WIDER = {
    torch.float16: torch.float32,
    torch.bfloat16: torch.float32,
    torch.int16: torch.int32,
    torch.uint16: torch.int64,
    torch.uint32: torch.int64,
}


@dataclass(frozen=True, slots=True)
class _Connection:
    """What `connect` found or made.

    Attributes:
        group: the processes, as torch knows them.
        options: how their arrays are added up, and how long that may take.
        timeout: the same time in seconds.
        ours: whether `connect` made the group.
    """

    group: Any
    options: Any
    timeout: float
    ours: bool


_connection: _Connection | None = None


# ---- the operator ----------------------------------------------------------------------------------------------------
# An operator of torch's, so that recordings repeat it. It changes its argument, which saves a copy.

torch.library.define(SUM_OVER_WORKERS, "(Tensor(a!) x) -> ()")


@torch.library.impl(SUM_OVER_WORKERS, "default")
def _sum_over_workers(x: Tensor) -> None:
    """Replace the values of `x`, which is row-major, with their sums over all processes."""
    if _connection is None:
        raise RuntimeError("A compiled function adds arrays of several workers up, but `disconnect` was called.")
    work = _connection.group.allreduce([x], _connection.options)
    try:
        work.wait()
    except RuntimeError as error:
        raise WorkerLost(
            f"Another worker ended, or did not answer within {_connection.timeout:g} s. Its own output says why. Start "
            f"all workers again; the callback `BackupAndRestore` goes on from its last backup. ({_reason(error)})"
        ) from error


@torch.library.register_fake(SUM_OVER_WORKERS)
def _no_values(x: Tensor) -> None:
    pass


def _reason(error: Exception) -> str:
    """Return what gloo says, without the place in its source and its advice."""
    return str(error).partition("] ")[2].partition(". ")[0] or str(error)


# ---- the family ------------------------------------------------------------------------------------------------------


class TorchCollectives(Collectives):
    """See `polykeras.backend.families.collectives`. On a CPU the engine is gloo, on GPUs it is NCCL."""

    def connect(self, job: Job) -> None:
        global _connection
        _choose_device(job)
        if job.size == 1:
            return
        if not dist.is_available():
            raise ImportError(
                f"This build of torch {torch.__version__} has no `torch.distributed`, which several processes need. "
                "Install one that has: https://pytorch.org/get-started/locally."
            )
        ours = _connection is not None and _connection.ours
        if not dist.is_initialized():
            _make_group(job)
            # Its threads end the process with an error if they outlive Python's own end (pytorch/pytorch#179291).
            atexit.register(self.disconnect)
            ours = True
        group = dist.group.WORLD
        found = dist.get_rank(), dist.get_world_size()
        if found != (job.rank, job.size):
            raise RuntimeError(
                f"Expected process {job.rank} of {job.size}; torch's process group, which was made before, says "
                f"process {found[0]} of {found[1]}. Describe the same processes, or let polykeras make the group."
            )
        options = dist.AllreduceOptions()
        options.timeout = timedelta(seconds=job.timeout)
        _connection = _Connection(group, options, job.timeout, ours)

    def disconnect(self, failed: bool = False) -> None:
        global _connection
        ours = _connection is not None and _connection.ours
        _connection = None  # first: the threads of the group end with its last reference
        forget_meshes()
        if ours and dist.is_initialized():
            dist.destroy_process_group()

    def workers(self) -> int:
        return 1 if _connection is None else _connection.group.size()

    def worker_index(self) -> Tensor:
        rank = 0 if _connection is None else _connection.group.rank()
        return torch.tensor(rank, dtype=torch.int32, device=current_device())

    def sum_over_workers(self, x: Tensor) -> Tensor:
        if _connection is None:
            return x
        wider = _WIDER.get(x.dtype)
        if wider is not None:
            return self.sum_over_workers(x.to(wider)).to(x.dtype)
        total = x.detach().clone(memory_format=torch.contiguous_format)  # recordings drop the copy where they can
        _operator(total)
        return total


_namespace, _, _name = SUM_OVER_WORKERS.partition("::")
_operator: Any = getattr(getattr(torch.ops, _namespace), _name).default


def _choose_device(job: Job) -> None:
    """Let this process compute on its own device: the one that the job names, or on GPUs the one of its local rank.

    If torch's process group exists already, the user's code has chosen the GPU of the process.
    """
    if len(job.devices) > 1:
        raise ValueError(
            f"On torch each process is one worker; received the devices {', '.join(job.devices)} for one process. "
            "Start a process for each: `torchrun --nproc-per-node=N train.py`."
        )
    if job.devices:
        device = find_device(job.devices[0])
    elif not torch.cuda.is_available():
        return
    elif dist.is_initialized() or job.local_rank is None:
        device = torch.device("cuda", torch.cuda.current_device())
    else:  # a launcher may show each process its own GPU alone
        device = torch.device("cuda", job.local_rank % torch.cuda.device_count())
    use_by_default(device)
    if device.type == "cuda":
        torch.cuda.set_device(device)


def _make_group(job: Job) -> None:
    """Make torch's process group. It waits for all processes."""
    # Imported later, as `torch.optim` does, the defaults of its functions would hold the group, whose threads would
    # outlive `disconnect` and now and then end the process with an error (pytorch/pytorch#190489).
    import torch.distributed.nn.functional

    if torch.cuda.is_available() and job.local_rank is not None:
        torch.cuda.set_device(job.local_rank % torch.cuda.device_count())
    kind = "cpu:gloo,cuda:nccl" if current_device().type == "cuda" else "gloo"
    host, _, port = job.coordinator.rpartition(":")
    wait = timedelta(seconds=job.timeout)
    try:
        # A store of our own: under torchrun, torch takes every address for that of torchrun's store.
        store = dist.TCPStore(  # pyright: ignore[reportPrivateImportUsage]
            host, int(port), job.size, is_master=job.rank == 0, timeout=wait
        )
        dist.init_process_group(kind, store=store, rank=job.rank, world_size=job.size, timeout=wait)
    except RuntimeError as error:
        raise RuntimeError(
            f"Process {job.rank} of {job.size} did not find all others within {job.timeout:g} s. It looked for process "
            f"0 at {job.coordinator}. Start all of them, and give all the same address, which each can reach. ({error})"
        ) from error
