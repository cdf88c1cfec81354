"""Sums over the processes of `torch.distributed`."""

from __future__ import annotations

from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from polykeras.backend.families.collectives import Collectives
from polykeras.backend.job import Job
from polykeras_torch.arrays import current_device


@torch.library.custom_op("polykeras::sum_over_workers", mutates_args=())
def _sum_over_workers(x: Tensor) -> Tensor:
    """Return the sum of `x` over all processes. As an operator of PyTorch, recordings repeat it."""
    total = x.contiguous().clone()
    dist.all_reduce(total)
    return total


@_sum_over_workers.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


class TorchCollectives(Collectives):
    """See `polykeras.backend.families.collectives`."""

    def connect(self, job: Job) -> None:
        if not dist.is_initialized():
            kind = "nccl" if current_device().type == "cuda" else "gloo"
            address = f"tcp://{job.coordinator}"
            wait = timedelta(seconds=job.timeout)
            dist.init_process_group(kind, init_method=address, rank=job.rank, world_size=job.size, timeout=wait)

    def disconnect(self) -> None:
        if dist.is_initialized():
            dist.destroy_process_group()

    def workers(self) -> int:
        return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1

    def worker_index(self) -> Tensor:
        rank = dist.get_rank() if self.workers() > 1 else 0
        return torch.tensor(rank, dtype=torch.int32, device=current_device())

    def sum_over_workers(self, x: Tensor) -> Tensor:
        return _sum_over_workers(x) if self.workers() > 1 else x
