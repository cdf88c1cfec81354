"""Overlapping frames of signals and the short-time Fourier transform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras import dtypes
from polykeras.backend.families.fourier import Pair
from polykeras.backend.spec import Array, Family, op
from polykeras.common import budget

# The raised cosines a - (1 - a) * cos(2 pi k / n), in their periodic form.
_WINDOWS = {"hann": 0.5, "hamming": 0.54}


class Signal(Family):
    """Signals along the last axis."""

    @op("x")
    def extract_sequences(self, x: Array, sequence_length: int, sequence_stride: int) -> Array:
        """Return overlapping windows of the last axis.

        Args:
            x: shape `(..., time)`.
            sequence_length: the length of a window.
            sequence_stride: the distance between the starts of neighbouring windows.

        Returns:
            Shape `(..., windows, sequence_length)`; samples after the last full window are left out.
        """
        count = max(0, 1 + (self.shape(x)[-1] - sequence_length) // sequence_stride)
        budget.spend(count * sequence_length)
        places = np.arange(count)[:, None] * sequence_stride + np.arange(sequence_length)
        return self.take(x, self.host_constant(places, "int32"), -1)

    def _overlap_add(self, frames: Array, stride: int) -> Array:
        """Return the sum of windows at their positions, `(count - 1) * stride + length` samples along the last axis."""
        *batch, count, length = self.shape(frames)
        parts = -(-length // stride)
        frames = self.constant_pad(frames, [(0, 0)] * (len(batch) + 1) + [(0, parts * stride - length)])
        blocks = self.reshape(frames, (*batch, count, parts, stride))
        rows = []  # the k-th block of each window, moved k rows down
        for k, row in enumerate(self.unstack(blocks, axis=-2)):
            rows.append(self.constant_pad(row, [(0, 0)] * len(batch) + [(k, parts - 1 - k), (0, 0)]))
        total = rows[0]
        for row in rows[1:]:
            total = total + row
        flat = self.reshape(total, (*batch, (count + parts - 1) * stride))
        return self._axis_slice(flat, len(batch), 0, (count - 1) * stride + length)

    def _reflected(self, x: Array, count: int) -> Array:
        """Return `x` with its last axis extended at both ends by its mirror image."""
        last, size = self.ndim(x) - 1, self.shape(x)[-1]
        if count >= size:
            raise ValueError(
                f"A signal of {size} samples cannot be reflected for {count}; use center=False, or pad it."
            )
        before = self.flip(self._axis_slice(x, last, 1, count + 1), last)
        after = self.flip(self._axis_slice(x, last, size - 1 - count, size - 1), last)
        return self.concatenate([before, x, after], last)

    def _window(self, window: Any, sequence_length: int, fft_length: int, dtype: str) -> Array:
        """Return the window, centred in `fft_length` samples."""
        before = (fft_length - sequence_length) // 2
        if isinstance(window, str):
            if window not in _WINDOWS:
                raise ValueError(f"`window` must be one of {', '.join(_WINDOWS)}, or an array; received {window!r}.")
            a = _WINDOWS[window]
            budget.spend(sequence_length)
            turns = 2 * np.pi * np.arange(sequence_length) / sequence_length
            values = self.host_constant(a - (1 - a) * np.cos(turns), dtype)
        elif window is None:
            return self.ones((fft_length,), dtype)
        else:
            values = self.cast(self.asarray(window), dtype)
            if self.shape(values) != (sequence_length,):
                raise ValueError(
                    f"`window` must have shape ({sequence_length},), as `sequence_length` says; "
                    f"received {self.shape(values)}."
                )
        return self.constant_pad(values, [(before, fft_length - sequence_length - before)])

    @op("x", "float")
    def stft(
        self,
        x: Array,
        sequence_length: int,
        sequence_stride: int,
        fft_length: int,
        window: Any = "hann",
        center: bool = True,
    ) -> Pair:
        """Return the short-time Fourier transform of real signals.

        Args:
            x: float, shape `(..., time)`.
            sequence_length: the length of the window.
            sequence_stride: the distance between the starts of neighbouring windows.
            fft_length: the length of the transform, at least `sequence_length`.
            window: `"hann"`, `"hamming"`, an array of shape `(sequence_length,)`, or None for no weights.
            center: whether to reflect the signal at its ends, so that window `t` is centred at `t * sequence_stride`.

        Returns:
            A pair `(real, imaginary)` of shape `(..., windows, fft_length // 2 + 1)`.

        Raises:
            ValueError: if `fft_length` is below `sequence_length`.
        """
        if fft_length < sequence_length:
            raise ValueError(f"`fft_length` ({fft_length}) must be at least `sequence_length` ({sequence_length}).")
        if center:
            x = self._reflected(x, fft_length // 2)
        weights = self._window(window, sequence_length, fft_length, self.dtype(x))
        return self.rfft(self.extract_sequences(x, fft_length, sequence_stride) * weights)

    @op("x", "float")
    def istft(
        self,
        x: Sequence[Array],
        sequence_length: int,
        sequence_stride: int,
        fft_length: int,
        length: int | None = None,
        window: Any = "hann",
        center: bool = True,
    ) -> Array:
        """Return the signal whose short-time Fourier transform is `x`.

        Overlapping windows are added with their weights and divided by the sum of the squared weights: the least
        squares estimate of D. W. Griffin and J. S. Lim (1984).

        Args:
            x: a pair `(real, imaginary)` of shape `(..., windows, fft_length // 2 + 1)`.
            sequence_length: as for `stft`.
            sequence_stride: as for `stft`.
            fft_length: as for `stft`.
            length: the number of samples to return; by default, all samples that the windows cover.
            window: as for `stft`.
            center: as for `stft`.

        Returns:
            Shape `(..., time)`.
        """
        real, imag = self._check_pair(x, "istft")
        dtype, count = self.dtype(real), self.shape(real)[-2]
        weights = self._window(window, sequence_length, fft_length, dtype)
        signal = self._overlap_add(self.irfft((real, imag), fft_length) * weights, sequence_stride)
        squares = self.broadcast_to(self.square(weights), (count, fft_length))
        total = self._overlap_add(squares, sequence_stride)
        signal = signal / self.where(total > 8 * dtypes.eps(dtype), total, 1.0)
        start = fft_length // 2 if center else 0
        covered = self.shape(signal)[-1]
        stop = start + length if length is not None else covered - start
        return self._axis_slice(signal, self.ndim(signal) - 1, start, min(stop, covered))
