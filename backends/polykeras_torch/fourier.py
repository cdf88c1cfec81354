"""Discrete Fourier transforms on torch."""

from __future__ import annotations

import torch
from torch import Tensor

from polykeras.backend.fourier import FourierMethods


class TorchFourier(FourierMethods):
    """Transforms along the last axis."""

    def complex_fft(self, x: Tensor) -> Tensor:
        return torch.fft.fft(x)

    def complex_rfft(self, x: Tensor) -> Tensor:
        return torch.fft.rfft(x)

    def complex_irfft(self, x: Tensor, n: int) -> Tensor:
        return torch.fft.irfft(x, n)
