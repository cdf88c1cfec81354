"""Arrays that lie on the devices of several processes, as PyTorch's DTensor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch.distributed as dist
from torch import Tensor

from polykeras.backend.families.layouts import Layouts
from polykeras_torch.arrays import current_device


class TorchLayouts(Layouts):
    """See `polykeras.backend.families.layouts`. A process has one device, which has its number."""

    def lay_out(self, x: Tensor, devices: np.ndarray, axis_names: Sequence[str], axes: Sequence[str | None]) -> Tensor:
        if devices.size == 1:
            return x
        ranks = np.array([int(str(name).partition(":")[2] or 0) for name in devices.flat]).reshape(devices.shape)
        if not dist.is_available() or not dist.is_initialized() or ranks.max() >= dist.get_world_size():
            raise ValueError(
                f"An array of PyTorch lies on {devices.size} devices only if as many processes are connected. Start "
                f"them with `torchrun --nproc-per-node {devices.size} train.py`, which calls "
                "`keras.distribution.initialize()`."
            )
        # Loaded here, since it takes as long to import as torch's own operations.
        from torch.distributed.device_mesh import DeviceMesh
        from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor

        mesh = DeviceMesh(current_device().type, ranks, mesh_dim_names=tuple(axis_names))
        places = [Shard(axes.index(name)) if name in axes else Replicate() for name in axis_names]
        return x.redistribute(mesh, places) if isinstance(x, DTensor) else distribute_tensor(x, mesh, places)
