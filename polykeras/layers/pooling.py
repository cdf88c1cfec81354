"""Pooling over windows, and over all places."""

from __future__ import annotations

from typing import Any

from polykeras import config, ops
from polykeras.layers.convolution import Axes, _padding
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.layer import LAYERS, Layer
from polykeras.arguments import int_tuple


class _Pool(Layer):
    """Pooling of windows over `rank` axes.

    Attributes:
        rank: the number of spatial axes.
    """

    rank = 1

    def __init__(
        self,
        pool_size: Axes = 2,
        strides: Axes | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pool_size = int_tuple(pool_size, self.rank, "pool_size", self)
        self.strides = self.pool_size if strides is None else int_tuple(strides, self.rank, "strides", self)
        self.padding = _padding(padding, ("valid", "same"), self)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _pool(self, function: Any, inputs: Any) -> Any:
        return function(inputs, self.pool_size, self.strides, self.padding, self.data_format)


class _MaxPool(_Pool):
    def call(self, inputs: Any) -> Any:
        """Return the maximum of each window."""
        return self._pool(ops.max_pool, inputs)


class _AveragePool(_Pool):
    def call(self, inputs: Any) -> Any:
        """Return the mean of each window, padding left out."""
        return self._pool(ops.average_pool, inputs)


@LAYERS.register("MaxPool1D")
class MaxPooling1D(_MaxPool):
    """The maximum of windows along time, `(batch, time, channels)`.

    Args:
        pool_size: width of the window.
        strides: distance of neighbouring windows; the window's width by default.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.
        **kwargs: as for `Layer`.
    """


@LAYERS.register("MaxPool2D")
class MaxPooling2D(_MaxPool):
    """The maximum of windows of images, `(batch, height, width, channels)`.

    Args:
        pool_size: height and width of the window, or one number for both.
        strides: distances of neighbouring windows; the window's size by default.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.
        **kwargs: as for `Layer`.
    """

    rank = 2


@LAYERS.register("AvgPool1D")
class AveragePooling1D(_AveragePool):
    """The mean of windows along time; arguments as for `MaxPooling1D`."""


@LAYERS.register("AvgPool2D")
class AveragePooling2D(_AveragePool):
    """The mean of windows of images; arguments as for `MaxPooling2D`."""

    rank = 2


class _GlobalPool(Layer):
    """Pooling over all places.

    Attributes:
        rank: the number of spatial axes.
    """

    rank = 1

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.keepdims = keepdims
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def _axes(self) -> tuple[int, ...]:
        first = 1 if self.data_format == "channels_last" else 2
        return tuple(range(first, first + self.rank))


class _GlobalMax(_GlobalPool):
    def call(self, inputs: Any) -> Any:
        """Return the maximum of each channel."""
        return ops.max(inputs, axis=self._axes, keepdims=self.keepdims)


@LAYERS.register("GlobalMaxPool1D")
class GlobalMaxPooling1D(_GlobalMax):
    """The maximum over time: `(batch, time, channels)` to `(batch, channels)`.

    Args:
        data_format: `"channels_last"` or `"channels_first"`.
        keepdims: keep the reduced axis with size 1.
        **kwargs: as for `Layer`.
    """


@LAYERS.register("GlobalMaxPool2D")
class GlobalMaxPooling2D(_GlobalMax):
    """The maximum over an image: `(batch, height, width, channels)` to `(batch, channels)`.

    Arguments as for `GlobalMaxPooling1D`.
    """

    rank = 2


@LAYERS.register("GlobalAvgPool1D")
class GlobalAveragePooling1D(_GlobalPool):
    """The mean over time, masked times left out: `(batch, time, channels)` to `(batch, channels)`.

    Arguments as for `GlobalMaxPooling1D`.
    """

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(data_format, keepdims, **kwargs)
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Return the mean of each channel.

        Args:
            inputs: `(batch, time, channels)`, or channels first.
            mask: bool `(batch, time)`.
        """
        axis = self._axes[0]
        if mask is None:
            return ops.mean(inputs, axis=axis, keepdims=self.keepdims)
        weights = ops.expand_dims(ops.cast(mask, ops.dtype(inputs)), 2 if axis == 1 else 1)
        total = ops.sum(inputs * weights, axis=axis, keepdims=self.keepdims)
        return total / ops.sum(weights, axis=axis, keepdims=self.keepdims)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Return None: no time is left."""
        return None


@LAYERS.register("GlobalAvgPool2D")
class GlobalAveragePooling2D(_GlobalPool):
    """The mean over an image: `(batch, height, width, channels)` to `(batch, channels)`.

    Arguments as for `GlobalMaxPooling1D`.
    """

    rank = 2

    def call(self, inputs: Any) -> Any:
        """Return the mean of each channel."""
        return ops.mean(inputs, axis=self._axes, keepdims=self.keepdims)


MaxPool1D = MaxPooling1D
MaxPool2D = MaxPooling2D
AvgPool1D = AveragePooling1D
AvgPool2D = AveragePooling2D
GlobalMaxPool1D = GlobalMaxPooling1D
GlobalMaxPool2D = GlobalMaxPooling2D
GlobalAvgPool1D = GlobalAveragePooling1D
GlobalAvgPool2D = GlobalAveragePooling2D
