"""Fourier transforms and complex numbers against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from contract.agreement import agree
from polykeras import ops
from polykeras.backend import Backend

RNG = np.random.default_rng(7)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype("float32")


PAIR = (normal(2, 3, 8), normal(2, 3, 8))
COMPLEX = PAIR[0] + 1j * PAIR[1]


@pytest.mark.parametrize("name", ["fft", "ifft", "fft2", "ifft2"])
def test_transforms_of_pairs(name: str, backend: Backend) -> None:
    expected = getattr(np.fft, name)(COMPLEX)
    for part, want in zip(getattr(ops, name)(PAIR), (expected.real, expected.imag), strict=True):
        agree(part, want)


@pytest.mark.parametrize("length", [None, 6, 7, 11])
def test_real_transforms(length: int | None, backend: Backend) -> None:
    expected = np.fft.rfft(PAIR[0], length)
    for part, want in zip(ops.rfft(PAIR[0], length), (expected.real, expected.imag), strict=True):
        agree(part, want)
    agree(ops.irfft(PAIR, length), np.fft.irfft(COMPLEX, length))


def test_complex_numbers(backend: Backend) -> None:
    z = COMPLEX[0, 0]
    agree(ops.angle(z), np.angle(z))
    agree(ops.angle([1.0, -1.0]), [0.0, np.pi])
    agree(ops.conjugate(z), z.conj())
    agree(ops.view_as_complex(np.stack([z.real, z.imag], -1)), z)
    agree(ops.view_as_real(z), np.stack([z.real, z.imag], -1))
    agree(ops.polar(np.abs(z), np.angle(z)), z)


def test_pairs_are_checked(backend: Backend) -> None:
    with pytest.raises(ValueError, match=r"fft needs a pair \(real, imaginary\) of arrays of one shape"):
        ops.fft((normal(3), normal(4)))


@pytest.mark.parametrize("window", ["hann", "hamming", None, np.linspace(0.5, 1.0, 12)])
@pytest.mark.parametrize("center", [True, False])
def test_stft_is_the_transform_of_weighted_frames(window: Any, center: bool, backend: Backend) -> None:
    x = normal(2, 60)
    k = np.arange(12)
    weights = {"hann": 0.5 - 0.5 * np.cos(2 * np.pi * k / 12), "hamming": 0.54 - 0.46 * np.cos(2 * np.pi * k / 12)}
    w = weights[window] if isinstance(window, str) else np.ones(16) if window is None else window
    w = np.pad(w, (16 - len(w)) // 2)
    padded = np.pad(x, ((0, 0), (8, 8)), "reflect") if center else x
    frames = np.stack([padded[:, i : i + 16] * w for i in range(0, padded.shape[1] - 15, 4)], 1)
    expected = np.fft.rfft(frames)
    real, imag = ops.stft(x, 12, 4, 16, window, center)
    agree(real, expected.real)
    agree(imag, expected.imag)
    again = ops.convert_to_numpy(ops.istft((real, imag), 12, 4, 16, 60, window, center))
    whole = slice(0, 60) if center else slice(16, 44)  # elsewhere too few windows overlap
    agree(again[:, whole], x[:, whole], 1e-4, 1e-4)


def test_extract_sequences(backend: Backend) -> None:
    agree(ops.extract_sequences(np.arange(10), 4, 3), [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]])
    assert ops.shape(ops.extract_sequences(normal(2, 3), 4, 3)) == (2, 0, 4)
