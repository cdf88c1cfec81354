"""Discrete Fourier transforms on JAX."""

from __future__ import annotations

import jax.numpy as jnp

from polykeras.backend.spec import Array
from polykeras_jax.linalg import JaxLinalg


class JaxFourier(JaxLinalg):
    """See `polykeras.backend.families.fourier`."""

    def complex_fft(self, x: Array) -> Array:
        return jnp.fft.fft(x)

    def complex_rfft(self, x: Array) -> Array:
        return jnp.fft.rfft(x)

    def complex_irfft(self, x: Array, n: int) -> Array:
        return jnp.fft.irfft(x, n)
