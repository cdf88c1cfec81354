"""Layers that enlarge sequences, images and volumes by whole factors."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from polykeras import budget, ops
from polykeras.arguments import int_tuple, positive_int
from polykeras.layers.base.input_spec import InputSpec
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.layers.convolution.base import Spatial


@LAYERS.register()
class UpSampling1D(Layer):
    """Each time of `(batch, time, channels)` repeated.

    Args:
        size: how often.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: `size` is no positive int.
    """

    sample_by_sample = True

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = positive_int(size, "size", self)
        self.input_spec = InputSpec(ndim=3)

    def call(self, inputs: Any) -> Any:
        """Return the longer sequence."""
        return ops.repeat(inputs, self.size, axis=1)


# ---- enlarging images ----------------------------------------------------------------------------------------------


def _triangle(t: np.ndarray) -> np.ndarray:
    return np.maximum(0.0, 1.0 - np.abs(t))


def _cubic(t: np.ndarray) -> np.ndarray:
    # Keys, "Cubic convolution interpolation for digital image processing", 1981, with a = -1/2.
    t = np.abs(t)
    near, far = (1.5 * t - 2.5) * t * t + 1.0, ((-0.5 * t + 2.5) * t - 4.0) * t + 2.0
    return np.where(t < 1.0, near, np.where(t < 2.0, far, 0.0))


def _lanczos(radius: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda t: np.where(np.abs(t) < radius, np.sinc(t) * np.sinc(t / radius), 0.0)


_KERNELS: dict[str, tuple[int, Callable[[np.ndarray], np.ndarray]]] = {
    "bilinear": (1, _triangle),
    "bicubic": (2, _cubic),
    "lanczos3": (3, _lanczos(3)),
    "lanczos5": (5, _lanczos(5)),
}
"""By interpolation, how far a pixel has influence, and how much at which distance."""


@lru_cache(maxsize=64)
def _taps(interpolation: str, size: int, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which pixels make each one of the enlarged axis, and their weights, both `(taps, size * factor)`.

    Pixels are squares with their value at the centre. At the border the weights of those that exist sum to 1.
    """
    radius, kernel = _KERNELS[interpolation]
    budget.spend(2 * radius * size * factor)
    place = (np.arange(size * factor) + 0.5) / factor - 0.5
    source = np.floor(place).astype("int32") + np.arange(1 - radius, radius + 1, dtype="int32")[:, None]
    weight = kernel(place - source) * ((source >= 0) & (source < size))
    return np.clip(source, 0, size - 1), weight / weight.sum(axis=0)


@LAYERS.register()
class UpSampling2D(Spatial):
    """Images `(batch, height, width, channels)` enlarged by whole factors.

    Args:
        size: the factors of height and width, or one for both.
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, height, width)`.
        interpolation: `"nearest"` repeats pixels; `"bilinear"`, `"bicubic"`, `"lanczos3"` and `"lanczos5"` mix them.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: an unknown interpolation, or a factor that is no positive int.
    """

    sample_by_sample = True
    rank = 2

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.size = int_tuple(size, 2, "size", self)
        self.interpolation = interpolation.lower()
        if self.interpolation not in ("nearest", *_KERNELS):
            raise ValueError(
                f"UpSampling2D: `interpolation` must be one of nearest, {', '.join(_KERNELS)}; received "
                f"{interpolation!r}."
            )

    def call(self, inputs: Any) -> Any:
        """Return the larger images."""
        for axis, factor in zip(self._space, self.size, strict=True):
            if self.interpolation == "nearest":
                inputs = ops.repeat(inputs, factor, axis=axis)
            else:
                inputs = self._mix(inputs, factor, axis)
        return inputs

    def _mix(self, x: Any, factor: int, axis: int) -> Any:
        shape, dtype = ops.shape(x), ops.dtype(x)
        sources, weights = _taps(self.interpolation, shape[axis], factor)
        along = [-1 if i == axis else 1 for i in range(len(shape))]
        total = None
        for source, weight in zip(sources, weights, strict=True):
            part = ops.take(x, source, axis=axis) * ops.reshape(ops.convert_to_tensor(weight, dtype), along)
            total = part if total is None else ops.add(total, part)
        return total


@LAYERS.register()
class UpSampling3D(Spatial):
    """Volumes `(batch, *space, channels)` whose places are repeated along each of three axes.

    Args:
        size: how often along each axis, or one number for all.
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, *space)`.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: a factor is no positive int.
    """

    sample_by_sample = True
    rank = 3

    def __init__(self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.size = int_tuple(size, 3, "size", self)

    def call(self, inputs: Any) -> Any:
        """Return the larger volumes."""
        for axis, factor in zip(self._space, self.size, strict=True):
            inputs = ops.repeat(inputs, factor, axis=axis)
        return inputs
