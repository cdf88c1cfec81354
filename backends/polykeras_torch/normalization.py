"""Normalization on torch's kernels."""

from __future__ import annotations

import torch
from torch import Tensor

from polykeras.backend.normalization import NormalizationMethods
from polykeras.backend.spec import Axis


class TorchNormalization(NormalizationMethods):
    """The composites pass over memory a dozen times, forward and backward; the kernels three times."""

    def layer_normalization(
        self,
        x: Tensor,
        gamma: Tensor | None = None,
        beta: Tensor | None = None,
        axis: Axis = -1,
        epsilon: float | None = None,
    ) -> Tensor:
        axes = self._sorted_axes(x, axis)
        shape = x.shape[x.ndim - len(axes) :]
        last = axes == tuple(range(x.ndim - len(axes), x.ndim))
        given = [vector for vector in (gamma, beta) if vector is not None]
        plain = all(vector.dtype == x.dtype and vector.shape == shape for vector in given)
        if not (last and plain and axes and x.dtype in (torch.float32, torch.float64)):
            return super().layer_normalization(x, gamma, beta, axis, epsilon)
        return torch.layer_norm(x, shape, gamma, beta, self._epsilon(epsilon))
