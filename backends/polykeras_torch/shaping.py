"""Shapes on torch, as views if possible."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from polykeras.backend.families.joining import Joining
from polykeras.backend.families.shaping import Shaping
from polykeras.backend.spec import Axis, Shape
from polykeras.common.arguments import shape_tuple
from polykeras_torch.arrays import retry_wide


class TorchShaping(Shaping, Joining):
    """Moves elements without arithmetic."""

    def reshape(self, x: Tensor, newshape: Shape | int) -> Tensor:
        return x.reshape(newshape)

    def transpose(self, x: Tensor, axes: Sequence[int] | None = None) -> Tensor:
        return x.permute(tuple(reversed(range(x.ndim))) if axes is None else tuple(axes))

    def broadcast_to(self, x: Tensor, shape: Shape | int) -> Tensor:
        return x.expand(shape_tuple(shape))

    def tile(self, x: Tensor, repeats: int | Sequence[int] | Tensor) -> Tensor:
        # The composite may return expanded memory, which `*=` cannot write to.
        return torch.tile(x, self._counts(repeats))

    def concatenate(self, xs: Sequence[Tensor], axis: int = 0) -> Tensor:
        return torch.cat(tuple(xs), axis)

    def constant_pad(self, x: Tensor, pad_width: Sequence[tuple[int, int]], value: float = 0) -> Tensor:
        return torch.constant_pad_nd(x, [n for widths in reversed(pad_width) for n in widths], value)

    def flip(self, x: Tensor, axis: Axis = None) -> Tensor:
        axes = tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        try:
            return torch.flip(x, axes)
        except RuntimeError as error:
            return retry_wide(error, torch.flip, x, axes)

    def strided_slice(self, x: Tensor, start: Shape, stop: Shape, step: Shape) -> Tensor:
        return x[tuple(map(slice, start, stop, step))]

    # ---- composites of the contract, on native kernels -----------------------------------------------------------

    def stack(self, x: Sequence[Tensor], axis: int = 0) -> Tensor:
        return torch.stack(tuple(x), axis)
