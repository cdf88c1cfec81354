"""Convolutions that filter each channel by itself."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.backend.windows import PerAxis
from polykeras.common.arguments import positive_int
from polykeras.common.types import ActivationLike, ConstraintLike, InitializerLike, InputShape, RegularizerLike
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.base.weights import keep_options, make_weight
from polykeras.layers.convolution.base import BaseConv


class DepthwiseConv(BaseConv):
    """A convolution that filters each channel by itself; arguments as for `DepthwiseConv2D`."""

    strided_dilation = True

    def __init__(
        self,
        kernel_size: PerAxis,
        strides: PerAxis = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: PerAxis = 1,
        activation: ActivationLike = None,
        use_bias: bool = True,
        depthwise_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        depthwise_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        depthwise_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.depth_multiplier = positive_int(depth_multiplier, "depth_multiplier", self)
        keep_options(self, locals(), "depthwise", "bias")

    def build(self, input_shape: InputShape) -> None:
        """Make the kernel and the bias."""
        channels = self._channels(input_shape)
        self.kernel = make_weight(
            self, "kernel", (*self.kernel_size, channels, self.depth_multiplier), prefix="depthwise"
        )
        self._make_bias(channels * self.depth_multiplier)

    def call(self, inputs: Array) -> Array:
        """Return the filtered channels, those of one channel side by side."""
        return self._finish(ops.depthwise_conv(inputs, self.kernel, **self._window))


@LAYERS.register()
class DepthwiseConv1D(DepthwiseConv):
    """A convolution along time that filters each channel by itself.

    From `(batch, time, channels)` to `(batch, time', channels * depth_multiplier)`. Arguments as for `DepthwiseConv2D`,
    with one number where that has two; `"channels_first"` is for `(batch, channels, time)`.
    """

    sample_by_sample = True
    rank = 1


@LAYERS.register()
class DepthwiseConv2D(DepthwiseConv):
    """A convolution of images that filters each channel by itself.

    From `(batch, height, width, channels)` to `(batch, height', width', channels * depth_multiplier)`.

    Args:
        kernel_size: height and width of the window, or one number for both.
        strides: distances of neighbouring windows.
        padding: `"valid"`, or `"same"` (as many outputs as inputs / strides).
        depth_multiplier: filters a channel.
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, height, width)`.
        dilation_rate: distances of the elements of a window.
        activation: a name or a function; none by default.
        use_bias: whether there is a bias.
        depthwise_initializer: of the kernel `(*kernel_size, channels, depth_multiplier)`.
        bias_initializer: of the bias.
        depthwise_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output.
        depthwise_constraint: applied to the kernel after each update.
        bias_constraint: applied to the bias after each update.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: an argument out of range.
    """

    sample_by_sample = True
    rank = 2


class SeparableConv(BaseConv):
    """A convolution of each channel by itself, then a mixture of the channels; arguments as for `SeparableConv2D`."""

    strided_dilation = True

    def __init__(
        self,
        filters: int,
        kernel_size: PerAxis,
        strides: PerAxis = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: PerAxis = 1,
        depth_multiplier: int = 1,
        activation: ActivationLike = None,
        use_bias: bool = True,
        depthwise_initializer: InitializerLike = "glorot_uniform",
        pointwise_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        depthwise_regularizer: RegularizerLike = None,
        pointwise_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        depthwise_constraint: ConstraintLike = None,
        pointwise_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.filters = positive_int(filters, "filters", self)
        self.depth_multiplier = positive_int(depth_multiplier, "depth_multiplier", self)
        keep_options(self, locals(), "depthwise", "pointwise", "bias")

    def build(self, input_shape: InputShape) -> None:
        """Make both kernels and the bias."""
        channels = self._channels(input_shape)
        self.depthwise_kernel = make_weight(
            self, "depthwise_kernel", (*self.kernel_size, channels, self.depth_multiplier)
        )
        self.pointwise_kernel = make_weight(
            self, "pointwise_kernel", (*(1,) * self.rank, channels * self.depth_multiplier, self.filters)
        )
        self._make_bias(self.filters)

    def call(self, inputs: Array) -> Array:
        """Return the mixture of the filtered channels."""
        return self._finish(ops.separable_conv(inputs, self.depthwise_kernel, self.pointwise_kernel, **self._window))


@LAYERS.register("SeparableConvolution1D")
class SeparableConv1D(SeparableConv):
    """A convolution along time in two steps: each channel by itself, then a mixture of the channels.

    From `(batch, time, channels)` to `(batch, time', filters)`. Arguments as for `SeparableConv2D`, with one number
    where that has two; `"channels_first"` is for `(batch, channels, time)`.
    """

    sample_by_sample = True
    rank = 1


@LAYERS.register("SeparableConvolution2D")
class SeparableConv2D(SeparableConv):
    """A convolution of images in two steps: each channel by itself, then a mixture of the channels.

    From `(batch, height, width, channels)` to `(batch, height', width', filters)`.

    Args:
        filters: channels of the output.
        kernel_size: height and width of the window, or one number for both.
        strides: distances of neighbouring windows.
        padding: `"valid"`, or `"same"` (as many outputs as inputs / strides).
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, height, width)`.
        dilation_rate: distances of the elements of a window.
        depth_multiplier: filters a channel in the first step.
        activation: a name or a function; none by default.
        use_bias: whether there is a bias.
        depthwise_initializer: of the first step's kernel `(*kernel_size, channels, depth_multiplier)`.
        pointwise_initializer: of the second step's kernel `(1, 1, channels * depth_multiplier, filters)`.
        bias_initializer: of the bias `(filters,)`.
        depthwise_regularizer: penalty on the first step's kernel.
        pointwise_regularizer: penalty on the second step's kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output.
        depthwise_constraint: applied to the first step's kernel after each update.
        pointwise_constraint: applied to the second step's kernel after each update.
        bias_constraint: applied to the bias after each update.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: an argument out of range.
    """

    sample_by_sample = True
    rank = 2


SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D
