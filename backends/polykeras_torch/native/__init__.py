"""PyTorch's idiom: parameters in which gradients gather, `train_step`s that use them, and modules as layers."""

from __future__ import annotations

from polykeras.backend.native import Native
from polykeras_torch.native.modules import TorchModules
from polykeras_torch.native.parameters import TorchParameters
from polykeras_torch.native.steps import TorchSteps

NATIVE = Native(parameters=TorchParameters(), modules=TorchModules(), steps=TorchSteps())
"""What the backend knows of native code."""
