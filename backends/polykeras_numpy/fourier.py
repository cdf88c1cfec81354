"""Discrete Fourier transforms."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras.backend.families.fourier import Fourier
from polykeras.backend.spec import Array
from polykeras_numpy.tape import anp, primitive, rule


@primitive
def _fft(x: Any, n: int) -> np.ndarray:
    """Return the transform of `x`, cropped or zero-padded to length `n`."""
    return np.fft.fft(x, n)


@primitive
def _rfft(x: Any) -> np.ndarray:
    return np.fft.rfft(x)


@primitive
def _irfft(x: Any, n: int) -> np.ndarray:
    return np.fft.irfft(x, n)


def _first(x: Any, n: int) -> Any:
    """Return the first `n` elements along the last axis, padded with zeros if there are fewer."""
    missing = n - x.shape[-1]
    if missing <= 0:
        return x[..., :n]
    return anp.concatenate((x, np.zeros((*x.shape[:-1], missing), x.dtype)), axis=-1)


def _irfft_vjp(g: Any, ans: Any, x: Any, n: int) -> Any:
    """Double all terms except the first (and, for even `n`, the last): each stands for two of the full transform."""
    weight = np.full(n // 2 + 1, 2 / n, g.dtype)
    weight[0] = 1 / n
    if n % 2 == 0:
        weight[-1] = 1 / n
    return _first(anp.conj(_rfft(g)) * weight, x.shape[-1])


# The transform is a symmetric matrix, so it is its own transpose.
rule(_fft, lambda g, ans, x, n: _first(_fft(g, n), x.shape[-1]))
rule(_rfft, lambda g, ans, x: anp.real(_fft(_first(g, x.shape[-1]), x.shape[-1])))
rule(_irfft, _irfft_vjp)


class NumpyFourier(Fourier):
    """NumPy's pocketfft, which keeps single precision."""

    def complex_fft(self, x: Array) -> Array:
        return _fft(x, x.shape[-1])

    def complex_rfft(self, x: Array) -> Array:
        return _rfft(x)

    def complex_irfft(self, x: Array, n: int) -> Array:
        return _irfft(x, n)
