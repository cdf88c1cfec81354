"""Activations on torch kernels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from polykeras.backend.families.activations import Activations
from polykeras_torch.arrays import native


class TorchActivations(Activations):
    """Activations, each as one kernel with its gradient."""

    # ---- composites of the contract, on native kernels -----------------------------------------------------------

    relu = native(torch.relu, Activations.relu)

    def softmax(self, x: Tensor, axis: int | Sequence[int] = -1) -> Tensor:
        return torch.softmax(x, axis) if isinstance(axis, int) else super().softmax(x, axis)

    def log_softmax(self, x: Tensor, axis: int | Sequence[int] = -1) -> Tensor:
        return torch.log_softmax(x, axis) if isinstance(axis, int) else super().log_softmax(x, axis)
