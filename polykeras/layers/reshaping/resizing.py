"""Layers that enlarge sequences, images and volumes by integer factors."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common.arguments import int_tuple, positive_int
from polykeras.layers.base.input_spec import InputSpec
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.layers.convolution.base import Spatial
from polykeras.ops.interpolation import KERNELS, resize_axis


@LAYERS.register()
class UpSampling1D(Layer):
    """Repeats each time step of `(batch, time, channels)`.

    Args:
        size: the number of repetitions.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: `size` is not a positive int.
    """

    sample_by_sample = True

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = positive_int(size, "size", self)
        self.input_spec = InputSpec(ndim=3)

    def call(self, inputs: Array) -> Array:
        """Return the longer sequence."""
        return ops.repeat(inputs, self.size, axis=1)


# ---- enlarging images ----------------------------------------------------------------------------------------------


@LAYERS.register()
class UpSampling2D(Spatial):
    """Enlarges images `(batch, height, width, channels)` by integer factors.

    Args:
        size: the factors of height and width, or one factor for both.
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, height, width)`.
        interpolation: `"nearest"` repeats pixels; `"bilinear"`, `"bicubic"`, `"lanczos3"`, `"lanczos5"` interpolate.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: the interpolation is unknown, or a factor is not a positive int.
    """

    sample_by_sample = True
    rank = 2

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.size = int_tuple(size, 2, "size", self)
        self.interpolation = interpolation.lower()
        if self.interpolation not in ("nearest", *KERNELS):
            raise ValueError(
                f"UpSampling2D: `interpolation` must be one of nearest, {', '.join(KERNELS)}; received "
                f"{interpolation!r}."
            )

    def call(self, inputs: Array) -> Array:
        """Return the larger images."""
        for axis, factor in zip(self._space, self.size, strict=True):
            if self.interpolation == "nearest":
                inputs = ops.repeat(inputs, factor, axis=axis)
            else:
                inputs = resize_axis(inputs, axis, ops.shape(inputs)[axis] * factor, self.interpolation)
        return inputs


@LAYERS.register()
class UpSampling3D(Spatial):
    """Enlarges volumes `(batch, *space, channels)` by repeating places along three axes.

    Args:
        size: the factors of the three axes, or one factor for all.
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, *space)`.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: a factor is not a positive int.
    """

    sample_by_sample = True
    rank = 3

    def __init__(self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.size = int_tuple(size, 3, "size", self)

    def call(self, inputs: Array) -> Array:
        """Return the larger volumes."""
        for axis, factor in zip(self._space, self.size, strict=True):
            inputs = ops.repeat(inputs, factor, axis=axis)
        return inputs
