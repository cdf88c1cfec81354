"""Discrete Fourier transforms on torch."""

from __future__ import annotations

import torch
from torch import Tensor

from polykeras.backend.families.fourier import Fourier


class TorchFourier(Fourier):
    """Transforms along the last axis."""

    def complex_fft(self, x: Tensor) -> Tensor:
        return torch.fft.fft(x) if x.numel() else x  # MKL refuses empty arrays

    def complex_rfft(self, x: Tensor) -> Tensor:
        if x.numel() == 0:  # MKL refuses empty arrays
            return x.new_zeros((*x.shape[:-1], x.shape[-1] // 2 + 1), dtype=x.dtype.to_complex())
        return torch.fft.rfft(x)

    def complex_irfft(self, x: Tensor, n: int) -> Tensor:
        if x.numel() == 0:
            return x.new_zeros((*x.shape[:-1], n), dtype=x.dtype.to_real())
        return torch.fft.irfft(x, n)
