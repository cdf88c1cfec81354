"""Pooling over windows, and over all places."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.backend.windows import PerAxis
from polykeras.common.arguments import int_tuple
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.convolution.base import Spatial, standardize_padding


class _Pool(Spatial):
    """Pooling of windows.

    Attributes:
        pool_mode: `"max"` or `"average"`.
    """

    pool_mode = ""

    _built_at_init = True

    def __init__(
        self,
        pool_size: PerAxis = 2,
        strides: PerAxis | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, name=name, **kwargs)
        self.pool_size = int_tuple(pool_size, self.rank, "pool_size", self)
        self.strides = self.pool_size if strides is None else int_tuple(strides, self.rank, "strides", self)
        self.padding = standardize_padding(padding, ("valid", "same"), self)


class _MaxPool(_Pool):
    pool_mode = "max"

    def call(self, inputs: Array) -> Array:
        """Return the maximum of each window."""
        return ops.max_pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)


class _AveragePool(_Pool):
    pool_mode = "average"

    def call(self, inputs: Array) -> Array:
        """Return the mean of each window, padding left out."""
        return ops.average_pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)


@LAYERS.register("MaxPool1D")
class MaxPooling1D(_MaxPool):
    """The maximum of windows along time, `(batch, time, channels)` to `(batch, time', channels)`.

    Args:
        pool_size: width of the window.
        strides: distance of neighbouring windows; the window's width by default.
        padding: `"valid"`, or `"same"` (as many outputs as inputs / strides).
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, time)`.
        name: of the layer.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: an argument out of range.
    """

    sample_by_sample = True


@LAYERS.register("MaxPool2D")
class MaxPooling2D(_MaxPool):
    """The maximum of windows of images, `(batch, height, width, channels)` to `(batch, height', width', channels)`.

    Args:
        pool_size: height and width of the window, or one number for both.
        strides: distances of neighbouring windows; the window's size by default.
        padding: `"valid"`, or `"same"` (as many outputs as inputs / strides).
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, height, width)`.
        name: of the layer.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: an argument out of range.
    """

    sample_by_sample = True
    rank = 2


@LAYERS.register("MaxPool3D")
class MaxPooling3D(_MaxPool):
    """The maximum of windows of volumes `(batch, *space, channels)`, space of three axes.

    Arguments as for `MaxPooling2D`, with three numbers where that has two.
    """

    sample_by_sample = True
    rank = 3


@LAYERS.register("AvgPool1D")
class AveragePooling1D(_AveragePool):
    """The mean of windows along time, padding left out; arguments as for `MaxPooling1D`."""

    sample_by_sample = True


@LAYERS.register("AvgPool2D")
class AveragePooling2D(_AveragePool):
    """The mean of windows of images, padding left out; arguments as for `MaxPooling2D`."""

    sample_by_sample = True
    rank = 2


@LAYERS.register("AvgPool3D")
class AveragePooling3D(_AveragePool):
    """The mean of windows of volumes, padding left out; arguments as for `MaxPooling3D`."""

    sample_by_sample = True
    rank = 3


class _GlobalPool(Spatial):
    """Pooling over all places."""

    _built_at_init = True

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.keepdims = keepdims


class _GlobalMaxPool(_GlobalPool):
    def call(self, inputs: Array) -> Array:
        """Return the maximum of each channel."""
        return ops.max(inputs, axis=self._space, keepdims=self.keepdims)


@LAYERS.register("GlobalMaxPool1D")
class GlobalMaxPooling1D(_GlobalMaxPool):
    """The maximum over time: `(batch, time, channels)` to `(batch, channels)`.

    Args:
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, time)`.
        keepdims: keep the reduced axis with size 1.
        **kwargs: as for `Layer`.
    """

    sample_by_sample = True


@LAYERS.register("GlobalMaxPool2D")
class GlobalMaxPooling2D(_GlobalMaxPool):
    """The maximum over an image: `(batch, height, width, channels)` to `(batch, channels)`.

    Arguments as for `GlobalMaxPooling1D`.
    """

    sample_by_sample = True
    rank = 2


@LAYERS.register("GlobalMaxPool3D")
class GlobalMaxPooling3D(_GlobalMaxPool):
    """The maximum over a volume: `(batch, *space, channels)` to `(batch, channels)`.

    Arguments as for `GlobalMaxPooling1D`.
    """

    sample_by_sample = True
    rank = 3


class _GlobalAveragePool(_GlobalPool):
    def call(self, inputs: Array) -> Array:
        """Return the mean of each channel."""
        return ops.mean(inputs, axis=self._space, keepdims=self.keepdims)


@LAYERS.register("GlobalAvgPool1D")
class GlobalAveragePooling1D(_GlobalPool):
    """The mean over time, masked times left out: `(batch, time, channels)` to `(batch, channels)`.

    Arguments as for `GlobalMaxPooling1D`.
    """

    sample_by_sample = True

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(data_format, keepdims, **kwargs)
        self.supports_masking = True

    def call(self, inputs: Array, mask: Array | None = None) -> Array:
        """Return the mean of each channel; 0 where a mask leaves nothing.

        Args:
            inputs: `(batch, time, channels)`, or channels first.
            mask: bool `(batch, time)`.
        """
        axis = self._space[0]
        if mask is None:
            return ops.mean(inputs, axis=axis, keepdims=self.keepdims)
        valid = ops.expand_dims(ops.cast(mask, "bool"), 2 if axis == 1 else 1)
        total = ops.sum(ops.where(valid, inputs, 0), axis=axis, keepdims=self.keepdims)
        count = ops.sum(ops.cast(valid, ops.dtype(inputs)), axis=axis, keepdims=self.keepdims)
        return ops.divide(total, ops.maximum(count, 1))

    def compute_mask(self, inputs: Array, mask: Array | None = None) -> Array | None:
        """Return None: no time is left.

        Args:
            inputs: not used.
            mask: not used.
        """
        return None


@LAYERS.register("GlobalAvgPool2D")
class GlobalAveragePooling2D(_GlobalAveragePool):
    """The mean over an image: `(batch, height, width, channels)` to `(batch, channels)`.

    Arguments as for `GlobalMaxPooling1D`.
    """

    sample_by_sample = True
    rank = 2


@LAYERS.register("GlobalAvgPool3D")
class GlobalAveragePooling3D(_GlobalAveragePool):
    """The mean over a volume: `(batch, *space, channels)` to `(batch, channels)`.

    Arguments as for `GlobalMaxPooling1D`.
    """

    sample_by_sample = True
    rank = 3


MaxPool1D = MaxPooling1D
MaxPool2D = MaxPooling2D
MaxPool3D = MaxPooling3D
AvgPool1D = AveragePooling1D
AvgPool2D = AveragePooling2D
AvgPool3D = AveragePooling3D
GlobalMaxPool1D = GlobalMaxPooling1D
GlobalMaxPool2D = GlobalMaxPooling2D
GlobalMaxPool3D = GlobalMaxPooling3D
GlobalAvgPool1D = GlobalAveragePooling1D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
