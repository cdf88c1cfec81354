"""Pooling over a given number of windows, whatever the size of the inputs."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.backend.windows import PerAxis
from polykeras.common.arguments import int_tuple
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.convolution.base import Spatial


class _AdaptivePool(Spatial):
    """Window `i` of `m` over `n` places covers those from `floor(i * n / m)` to before `ceil((i + 1) * n / m)`."""

    def __init__(self, output_size: PerAxis, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.output_size = int_tuple(output_size, self.rank, "output_size", self)


class _AdaptiveAveragePool(_AdaptivePool):
    def call(self, inputs: Array) -> Array:
        """Return the mean of each window."""
        return ops.adaptive_average_pool(inputs, self.output_size, self.data_format)


class _AdaptiveMaxPool(_AdaptivePool):
    def call(self, inputs: Array) -> Array:
        """Return the maximum of each window."""
        return ops.adaptive_max_pool(inputs, self.output_size, self.data_format)


@LAYERS.register()
class AdaptiveAveragePooling1D(_AdaptiveAveragePool):
    """The mean of `output_size` windows along time, which together cover it.

    Window `i` of `m` over `n` places covers those from `floor(i * n / m)` to before `ceil((i + 1) * n / m)`, so that
    windows may overlap by one place.

    Args:
        output_size: the number of windows.
        data_format: `"channels_last"` for `(batch, time, channels)`, or `"channels_first"` for
            `(batch, channels, time)`.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: `output_size` holds something else than positive ints.
    """

    sample_by_sample = True
    rank = 1


@LAYERS.register()
class AdaptiveAveragePooling2D(_AdaptiveAveragePool):
    """The mean of `output_size` windows along each axis of images, which together cover it.

    Window `i` of `m` over `n` places covers those from `floor(i * n / m)` to before `ceil((i + 1) * n / m)`, so that
    windows may overlap by one place.

    Args:
        output_size: the number of windows along each axis, or one number for both.
        data_format: `"channels_last"` for `(batch, height, width, channels)`, or `"channels_first"` for
            `(batch, channels, height, width)`.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: `output_size` holds something else than positive ints.
    """

    sample_by_sample = True
    rank = 2


@LAYERS.register()
class AdaptiveAveragePooling3D(_AdaptiveAveragePool):
    """The mean of `output_size` windows along each axis of volumes, which together cover it.

    Window `i` of `m` over `n` places covers those from `floor(i * n / m)` to before `ceil((i + 1) * n / m)`, so that
    windows may overlap by one place.

    Args:
        output_size: the number of windows along each axis, or one number for all.
        data_format: `"channels_last"` for `(batch, *space, channels)`, or `"channels_first"` for
            `(batch, channels, *space)`.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: `output_size` holds something else than positive ints.
    """

    sample_by_sample = True
    rank = 3


@LAYERS.register()
class AdaptiveMaxPooling1D(_AdaptiveMaxPool):
    """The maximum of `output_size` windows along time, which together cover it.

    Window `i` of `m` over `n` places covers those from `floor(i * n / m)` to before `ceil((i + 1) * n / m)`, so that
    windows may overlap by one place.

    Args:
        output_size: the number of windows.
        data_format: `"channels_last"` for `(batch, time, channels)`, or `"channels_first"` for
            `(batch, channels, time)`.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: `output_size` holds something else than positive ints.
    """

    sample_by_sample = True
    rank = 1


@LAYERS.register()
class AdaptiveMaxPooling2D(_AdaptiveMaxPool):
    """The maximum of `output_size` windows along each axis of images, which together cover it.

    Window `i` of `m` over `n` places covers those from `floor(i * n / m)` to before `ceil((i + 1) * n / m)`, so that
    windows may overlap by one place.

    Args:
        output_size: the number of windows along each axis, or one number for both.
        data_format: `"channels_last"` for `(batch, height, width, channels)`, or `"channels_first"` for
            `(batch, channels, height, width)`.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: `output_size` holds something else than positive ints.
    """

    sample_by_sample = True
    rank = 2


@LAYERS.register()
class AdaptiveMaxPooling3D(_AdaptiveMaxPool):
    """The maximum of `output_size` windows along each axis of volumes, which together cover it.

    Window `i` of `m` over `n` places covers those from `floor(i * n / m)` to before `ceil((i + 1) * n / m)`, so that
    windows may overlap by one place.

    Args:
        output_size: the number of windows along each axis, or one number for all.
        data_format: `"channels_last"` for `(batch, *space, channels)`, or `"channels_first"` for
            `(batch, channels, *space)`.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: `output_size` holds something else than positive ints.
    """

    sample_by_sample = True
    rank = 3
