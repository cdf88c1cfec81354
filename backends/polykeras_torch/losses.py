"""Losses on torch's kernels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from polykeras import config
from polykeras.backend.families.losses import Losses
from polykeras_torch.private import BINARY_CROSSENTROPY_BACKWARD, is_transformed

_LEAST = 1e-11  # the kernel replaces a product p * (1 - p) below 1e-12 by 1e-12


class TorchLosses(Losses):
    """Losses on fewer kernels: small models spend more time on the dozen kernels of a cross-entropy than on a layer."""

    def binary_crossentropy(self, target: Tensor, output: Tensor, from_logits: bool = False) -> Tensor:
        known = output.dtype in (torch.float32, torch.float64) and target.dtype is output.dtype
        exact = known and config.epsilon() > _LEAST and BINARY_CROSSENTROPY_BACKWARD is not None
        if from_logits or not exact or target.requires_grad or is_transformed():
            return super().binary_crossentropy(target, output, from_logits)
        self._check_same_shape(target, output, "binary_crossentropy")

        @self.custom_gradient
        def entropy(p: Tensor) -> tuple[Tensor, Any]:
            # The value does not use torch's kernel, which raises if a model has become nan.
            value = torch.lerp(torch.log1p(-p), torch.log(p), target).neg()

            def gradient(upstream: Tensor) -> Tensor:
                if torch.is_grad_enabled():
                    return upstream * ((1.0 - target) / (1.0 - p) - target / p)
                return BINARY_CROSSENTROPY_BACKWARD(upstream, p, target, None, 0)

            return value, gradient

        return entropy(self._clipped(output))
