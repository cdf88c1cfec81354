"""Discrete Fourier transforms on JAX."""

from __future__ import annotations

import jax.numpy as jnp

from polykeras.backend.families.fourier import Fourier
from polykeras.backend.spec import Array


class JaxFourier(Fourier):
    """See `polykeras.backend.families.fourier`."""

    def complex_fft(self, x: Array) -> Array:
        return jnp.fft.fft(x)

    def complex_rfft(self, x: Array) -> Array:
        return jnp.fft.rfft(x)

    def complex_irfft(self, x: Array, n: int) -> Array:
        return jnp.fft.irfft(x, n)
