"""Complex numbers, Fourier transforms and frames of signals."""

from __future__ import annotations

from polykeras.backend import Backend
from polykeras.backend.dispatch import bind

__all__ = [
    "angle",
    "conj",
    "conjugate",
    "extract_sequences",
    "fft",
    "fft2",
    "ifft",
    "ifft2",
    "irfft",
    "istft",
    "polar",
    "rfft",
    "stft",
    "view_as_complex",
    "view_as_real",
]

angle = bind(Backend.angle)
conj = bind(Backend.conj)
conjugate = bind(Backend.conjugate)
polar = bind(Backend.polar)
view_as_complex = bind(Backend.view_as_complex)
view_as_real = bind(Backend.view_as_real)

fft = bind(Backend.fft)
ifft = bind(Backend.ifft)
fft2 = bind(Backend.fft2)
ifft2 = bind(Backend.ifft2)
rfft = bind(Backend.rfft)
irfft = bind(Backend.irfft)

extract_sequences = bind(Backend.extract_sequences)
stft = bind(Backend.stft)
istft = bind(Backend.istft)
