"""Initializers without randomness."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from polykeras.backend.registry import loaded_backends
from polykeras.common.types import ArrayLike
from polykeras.initializers.base import Initializer, registry


@registry.register("zero")
class Zeros(Initializer):
    """Fills with zeros."""

    deferrable = True

    def host_values(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.zeros(shape)


@registry.register("one")
class Ones(Initializer):
    """Fills with ones."""

    deferrable = True

    def host_values(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.ones(shape)


@registry.register()
class Constant(Initializer):
    """Fills with one value, or with given values.

    Args:
        value: a scalar, or an array that broadcasts to the requested shape.

    Example:
        >>> Constant(0.5)((2,)).tolist()
        [0.5, 0.5]
    """

    def __init__(self, value: ArrayLike = 0.0) -> None:
        owner = next((backend for backend in loaded_backends() if backend.is_tensor(value)), None)
        array = np.asarray(value if owner is None else owner.to_numpy(value))
        self.value = array if array.ndim else array.item()

    def host_values(self, shape: tuple[int, ...]) -> np.ndarray:
        values = np.asarray(self.value)
        try:
            return np.broadcast_to(values, shape).copy()
        except ValueError:
            raise ValueError(
                f"Constant holds an array of shape {values.shape}, which does not broadcast to the shape {shape} of "
                "the variable."
            ) from None


@registry.register("IdentityInitializer")
class Identity(Initializer):
    """Makes a matrix with one value on the diagonal and zeros elsewhere.

    Args:
        gain: the value on the diagonal.
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def host_values(self, shape: tuple[int, ...]) -> np.ndarray:
        if len(shape) != 2:
            raise ValueError(f"Identity initializes matrices; received the shape {shape}. Use Zeros or Orthogonal.")
        return self.gain * np.eye(*shape)


# A window is sum_k c[k] cos(2 pi k n / length). Source: Harris, "On the use of windows for harmonic analysis with the
# discrete Fourier transform", 1978.
_WINDOWS = {"boxcar": (1.0,), "hann": (0.5, -0.5), "hamming": (0.54, -0.46), "blackman": (0.42, -0.5, 0.08)}


@registry.register("STFTInitializer")
class STFT(Initializer):
    """Makes the kernel of a 1D convolution that computes a short-time Fourier transform.

    The kernel has shape `(frame_length, 1, bands)`; its element `(t, 0, f)` is the real or imaginary part of
    `w[t] exp(-2 pi i t f / (2 (bands - 1)))`.

    Args:
        side: `"real"` or `"imag"`.
        window: `"hann"`, `"hamming"`, `"blackman"`, `"boxcar"`, an array with the `frame_length` values of a window, or
            None.
        scaling: `"density"` divides the window by its L2 norm, `"spectrum"` by its L1 norm; None does not scale it.
        periodic: whether the window is periodic rather than symmetric.

    Raises:
        ValueError: the side, the window or the scaling is unknown.
    """

    def __init__(
        self,
        side: Literal["real", "imag"] = "real",
        window: str | Any | None = "hann",
        scaling: Literal["density", "spectrum"] | None = "density",
        periodic: bool = False,
    ) -> None:
        if side not in ("real", "imag"):
            raise ValueError(f"STFT: `side` must be 'real' or 'imag'; received {side!r}.")
        if scaling not in (None, "density", "spectrum"):
            raise ValueError(f"STFT: `scaling` must be 'density', 'spectrum' or None; received {scaling!r}.")
        if isinstance(window, str) and window not in _WINDOWS:
            raise ValueError(
                f"STFT: unknown window {window!r}. Expected one of {', '.join(_WINDOWS)}, or the window's values."
            )
        self.side = side
        self.window = window if window is None or isinstance(window, str) else np.asarray(window)
        self.scaling = scaling
        self.periodic = periodic

    def host_values(self, shape: tuple[int, ...]) -> np.ndarray:
        if len(shape) != 3 or shape[1] != 1:
            raise ValueError(f"STFT initializes kernels of shape (frame_length, 1, bands); received {shape}.")
        frame_length, _, bands = shape
        angle = -2 * np.pi * np.arange(frame_length)[:, None, None] * np.arange(bands) / max(1, 2 * (bands - 1))
        kernel = np.cos(angle) if self.side == "real" else np.sin(angle)
        if self.window is None:
            return kernel
        window = self._window_values(frame_length)
        norms = {"density": np.sqrt(np.sum(window**2)), "spectrum": np.sum(np.abs(window))}
        return kernel * window[:, None, None] / norms.get(self.scaling or "", 1.0)

    def _window_values(self, length: int) -> np.ndarray:
        if not isinstance(self.window, str):
            window = np.asarray(self.window)
            if window.shape != (length,):
                raise ValueError(f"STFT: the window has shape {window.shape}; frames of {length} need ({length},).")
            return window
        if length == 1:
            return np.ones(1)
        angle = 2 * np.pi * np.arange(length) / (length if self.periodic else length - 1)
        return np.sum([c * np.cos(k * angle) for k, c in enumerate(_WINDOWS[self.window])], axis=0)
