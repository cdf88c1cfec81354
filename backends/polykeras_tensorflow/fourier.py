"""Discrete Fourier transforms."""

from __future__ import annotations

import tensorflow as tf

from polykeras.backend.families.fourier import Fourier
from polykeras.backend.spec import Array
from polykeras_tensorflow.elementwise import WIDE

raw = tf.raw_ops


class TensorflowFourier(Fourier):
    """Transforms along the last axis."""

    def complex_fft(self, x: Array) -> Array:
        return raw.FFT(input=x)

    def complex_rfft(self, x: Array) -> Array:
        if x.dtype not in WIDE:
            x = raw.Cast(x=x, DstT=tf.float32)
        kind = tf.complex128 if x.dtype == tf.float64 else tf.complex64
        return raw.RFFT(input=x, fft_length=(x.shape[-1],), Tcomplex=kind)

    def complex_irfft(self, x: Array, n: int) -> Array:
        terms, given = n // 2 + 1, x.shape[-1]
        if terms < given:
            x = x[..., :terms]
        elif terms > given:
            x = tf.pad(x, [(0, 0)] * (x.shape.rank - 1) + [(0, terms - given)])
        return raw.IRFFT(input=x, fft_length=(n,), Treal=x.dtype.real_dtype)
