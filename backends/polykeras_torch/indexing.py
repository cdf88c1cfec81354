"""Indexing, sorting and searching on torch kernels. Torch wants int64 indices; the contract returns int32 ones."""

from __future__ import annotations

from math import prod
from typing import Any, Literal

import torch
from torch import Tensor

from polykeras import fast
from polykeras.backend.axes import canonical_axis
from polykeras.backend.families.indexing import Indexing
from polykeras.backend.families.sorting import Sorting
from polykeras.backend.spec import Shape
from polykeras_torch.arrays import WIDE, is_cut, retry_wide
from polykeras_torch.layouts import whole

_SCATTER = {"max": "amax", "min": "amin", "mul": "prod"}

# Up to this many numbers, torch's `index_put` adds rows in order, in a quarter of the time in which `index_add` sorts
# them for two threads. Above, threads would add in any order. If the values are single numbers, `index_add` itself adds
# in order, and faster.
_IN_ORDER = 2**15


def _from_front(indices: Any, x: Tensor, axis: int) -> Tensor:
    """Return indices into an axis as int64, counted from the front. Torch's kernels refuse most others."""
    indices = torch.as_tensor(indices, dtype=torch.int64, device=x.device)
    return torch.where(indices < 0, indices + x.shape[axis], indices)


def select(x: Tensor, axis: int, rows: Tensor) -> Tensor:
    """Return the slices of `x` at `rows`, an int64 vector of indices that count from the front."""
    try:
        return torch.index_select(x, axis, rows)
    except RuntimeError as error:
        return retry_wide(error, torch.index_select, x, axis, rows)


class TorchIndexing(Indexing, Sorting):
    """Reads and writes at computed indices."""

    def take(self, x: Tensor, indices: Any, axis: int | None = None) -> Tensor:
        if axis is None:
            x, axis = x.reshape(-1), 0
        axis = canonical_axis(axis, x.ndim)
        rows = _from_front(indices, x, axis)
        if is_cut(x) or is_cut(rows):  # the gradient of `index_select` is wrong for some DTensors (torch 2.13)
            if axis == 0 and x.ndim == 2:
                return torch.nn.functional.embedding(rows, x)
            x, rows = whole(x), whole(rows)
        if axis == 0 and x.requires_grad and _is_added_in_order(x, rows.numel() * prod(x.shape[1:])):
            return x[rows]  # its gradient is an `index_put`
        if rows.ndim == 1:
            return select(x, axis, rows)
        return select(x, axis, rows.reshape(-1)).reshape(x.shape[:axis] + rows.shape + x.shape[axis + 1 :])

    def take_along_axis(self, x: Tensor, indices: Tensor, axis: int | None = None) -> Tensor:
        if axis is None:
            x, indices, axis = x.reshape(-1), indices.reshape(-1), 0
        rows = _from_front(indices, x, axis)
        try:
            return torch.take_along_dim(x, rows, axis)
        except RuntimeError as error:
            return retry_wide(error, torch.take_along_dim, x, rows, axis)

    def scatter_reduce(
        self,
        x: Tensor,
        indices: Tensor,
        values: Tensor,
        reduction: Literal["set", "add", "max", "min", "mul"] = "add",
    ) -> Tensor:
        depth = indices.shape[-1]
        columns = [_from_front(indices[..., axis], x, axis) for axis in range(depth)]
        flat = columns[0] if columns else torch.zeros(indices.shape[:-1], dtype=torch.int64, device=x.device)
        for axis in range(1, depth):
            flat = flat * x.shape[axis] + columns[axis]
        flat = flat.reshape(-1)
        row = [prod(x.shape[depth:])] if x.shape[depth:] else []
        rows, values = x.reshape(prod(x.shape[:depth]), *row), values.reshape(flat.shape[0], *row)
        try:
            result = _scatter_rows(rows, flat, values, reduction)
        except RuntimeError as error:
            result = retry_wide(error, _scatter_rows, rows, flat, values, reduction)
        return result.reshape(x.shape)

    def dynamic_slice(self, x: Tensor, start_indices: Tensor, shape: Shape) -> Tensor:
        # Gathered, not narrowed: the start need not come to the host, and may differ within a batch.
        for axis, rows in enumerate(self._block(x, start_indices, shape)):
            if rows is not None:
                x = select(x, axis, rows)
        return x

    def dynamic_update_slice(self, x: Tensor, start_indices: Tensor, updates: Tensor) -> Tensor:
        places = []
        for axis, rows in enumerate(self._block(x, start_indices, updates.shape)):
            rows = torch.arange(x.shape[axis], device=x.device) if rows is None else rows
            places.append(rows.reshape([-1 if a == axis else 1 for a in range(x.ndim)]))
        if not places:
            return updates
        try:
            return torch.index_put(x, places, updates)
        except RuntimeError as error:
            put = lambda x, updates: torch.index_put(x, places, updates)  # noqa: E731
            return retry_wide(error, put, x, updates)

    def _block(self, x: Tensor, start_indices: Any, shape: Shape) -> list[Tensor | None]:
        """Return the int64 indices of a block along each axis; None for a whole axis."""
        starts = torch.as_tensor(start_indices, device=x.device)
        block: list[Tensor | None] = []
        for axis, (n, size) in enumerate(zip(x.shape, shape, strict=True)):
            if size == n:
                block.append(None)
                continue
            start = _from_front(starts[axis], x, axis).clamp(0, n - size)
            block.append(start + torch.arange(size, device=x.device))
        return block

    def sort(self, x: Tensor, axis: int | None = -1) -> Tensor:
        if axis is None:
            x, axis = x.reshape(-1), 0
        return torch.sort(x, dim=axis, stable=True).values

    def argsort(self, x: Tensor, axis: int | None = -1) -> Tensor:
        if axis is None:
            x, axis = x.reshape(-1), 0
        return torch.argsort(x, dim=axis, stable=True).to(torch.int32)

    def searchsorted(self, sorted_sequence: Tensor, values: Any, side: Literal["left", "right"] = "left") -> Tensor:
        if sorted_sequence.dtype in WIDE or sorted_sequence.dtype is torch.bool:
            sorted_sequence = sorted_sequence.to(torch.int64)
            values = values.to(torch.int64) if isinstance(values, Tensor) else values
        if isinstance(values, Tensor):
            values = values.contiguous()  # torch warns if they are not contiguous
        return torch.searchsorted(sorted_sequence.contiguous(), values, side=side, out_int32=True)

    def nonzero(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(axis.to(torch.int32) for axis in torch.nonzero(x.to(torch.bool), as_tuple=True))


def _is_added_in_order(x: Tensor, numbers: int) -> bool:
    return x.device.type == "cpu" and numbers < _IN_ORDER and fast.enabled("index-add")


def _scatter_rows(x: Tensor, rows: Tensor, values: Tensor, reduction: str) -> Tensor:
    if reduction == "set":
        return x.index_copy(0, rows, values)
    if reduction == "add":
        if x.ndim > 1 and _is_added_in_order(x, values.numel()):
            return x.index_put((rows,), values, accumulate=True)
        return x.index_add(0, rows, values)
    places = rows if x.ndim == 1 else rows[:, None].expand_as(values)
    return x.scatter_reduce(0, places, values, _SCATTER[reduction])
