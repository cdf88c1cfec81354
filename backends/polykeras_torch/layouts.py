"""Arrays that lie on the devices of several processes, as PyTorch's DTensor."""

from __future__ import annotations

import atexit
import threading
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from polykeras.backend.families.layouts import Layouts
from polykeras_torch.arrays import current_device, is_cut
from polykeras_torch.compiler.operators import CUT
from polykeras_torch.compiler.recorder import refuse_recording
from polykeras_torch.private import groups_of_mesh

_of_thread = threading.local()


_meshes: dict[tuple[Any, ...], Any] = {}


def mesh_of(kind: str, ranks: tuple[int, ...], shape: tuple[int, ...], axis_names: tuple[str, ...]) -> Any:
    """Return torch's grid of processes. All processes make it together, once for a connection."""
    from torch.distributed.device_mesh import DeviceMesh

    key = kind, ranks, shape, axis_names
    if key not in _meshes:
        _meshes[key] = DeviceMesh(kind, np.array(ranks).reshape(shape), mesh_dim_names=axis_names)
    return _meshes[key]


def forget_meshes() -> None:
    """Forget the grids, as their processes are no longer connected. Torch's caches hold them, but not their groups."""
    for mesh in _meshes.values():
        groups_of_mesh(mesh).clear()
    _meshes.clear()


def _take_plain_tensors_for_whole() -> None:
    """From now on, in this thread, a plain tensor beside a DTensor is one that all processes have.

    Torch asks for that in each thread. Weights stay cut between steps, so a user's own calls need it too.
    """
    from torch.distributed.tensor.experimental import implicit_replication

    if not hasattr(_of_thread, "entered"):
        _of_thread.entered = ExitStack()
        _of_thread.entered.enter_context(implicit_replication())
        atexit.register(_of_thread.entered.close)  # it needs torch's modules to end
        # It takes those of one number for whole anyway, and would say so each time.
        warnings.filterwarnings("ignore", "Found a non-scalar tensor with numel=1", UserWarning)


class _Whole(torch.autograd.Function):
    """The whole of a DTensor. Its gradient is another one where it met others, which torch's `full_tensor` refuses."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Tensor:
        ctx.mesh = x.device_mesh
        return x.full_tensor()

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Tensor:
        return upstream[0] if is_cut(upstream[0]) else _on_all(upstream[0], ctx.mesh)


def whole(x: Any) -> Any:
    """Return what is no DTensor: the whole of one, or anything else as it is."""
    return _Whole.apply(x) if is_cut(x) else x


def _on_all(x: Tensor, mesh: Any) -> Any:
    """Return the DTensor of a tensor that all processes have. Nothing travels."""
    from torch.distributed.tensor import DTensor, Replicate

    return DTensor.from_local(x, mesh, [Replicate()] * mesh.ndim, run_check=False)


class TorchLayouts(Layouts):
    """See `polykeras.backend.families.layouts`. A process has one device, which has its number.

    Only what is cut is a DTensor. An array that all processes have is a plain tensor: all operations take these.
    """

    def lay_out(self, x: Tensor, devices: np.ndarray, axis_names: Sequence[str], axes: Sequence[str | None]) -> Tensor:
        if devices.size == 1:
            return x
        ranks = tuple([int(str(name).partition(":")[2] or 0) for name in devices.flat])
        if not dist.is_available() or not dist.is_initialized() or max(ranks) >= dist.get_world_size():
            raise ValueError(
                f"An array of PyTorch lies on {devices.size} devices only if as many processes are connected. Start "
                f"them with `torchrun --nproc-per-node {devices.size} train.py`, which calls "
                "`keras.distribution.initialize()`."
            )
        sizes = dict(zip(axis_names, devices.shape, strict=True))
        cuts = {name: axes.index(name) for name in axis_names if name in axes and sizes[name] > 1}
        if not cuts:
            return self.with_gradient_alike(whole(x))
        for name, axis in cuts.items():
            if x.shape[axis] % sizes[name]:
                raise ValueError(
                    f"Axis {axis} of an array of shape {tuple(x.shape)} cannot be cut evenly into {sizes[name]} parts."
                )
        # Loaded here, since it takes as long to import as torch's own operations.
        from torch.distributed.tensor import Replicate, Shard

        mesh = mesh_of(current_device().type, ranks, devices.shape, tuple(axis_names))
        _take_plain_tensors_for_whole()
        refuse_recording(CUT)
        places = tuple([Shard(cuts[name]) if name in cuts else Replicate() for name in axis_names])
        known: Any = x if is_cut(x) else _on_all(x, mesh)
        return known if known.placements == places and known.device_mesh == mesh else known.redistribute(mesh, places)

    def with_gradient_alike(self, x: Tensor) -> Tensor:
        if x.requires_grad and not is_cut(x):
            x.register_hook(whole)
        return x
