"""Discrete Fourier transforms."""

from __future__ import annotations

from abc import ABC

from polykeras.backend.linalg import LinalgMethods
from polykeras.backend.spec import Array, required


class FourierMethods(LinalgMethods, ABC):
    """Transforms along the last axis on complex or real arrays of the frameworks; Keras's pair forms are composed."""

    # ---- required ----------------------------------------------------------------------------------------------

    @required("x")
    def complex_fft(self, x: Array) -> Array:
        """Return the discrete Fourier transform of a complex array along its last axis, not scaled."""
        raise NotImplementedError

    @required("x")
    def complex_rfft(self, x: Array) -> Array:
        """Return the first `n // 2 + 1` terms of the transform of a real array along its last axis."""
        raise NotImplementedError

    @required("x")
    def complex_irfft(self, x: Array, n: int) -> Array:
        """Return the real array of length `n` whose `complex_rfft` is `x` (scaled by `1 / n`)."""
        raise NotImplementedError
