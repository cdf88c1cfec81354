"""Convolutions that filter each channel separately."""

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
    """Base of convolutions that filter each channel separately; arguments as for `DepthwiseConv2D`."""

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
        """Return the filtered channels; the outputs of one channel are adjacent."""
        return self._finish(ops.depthwise_conv(inputs, self.kernel, **self._window))


@LAYERS.register()
class DepthwiseConv1D(DepthwiseConv):
    """A convolution along time that filters each channel separately.

    It maps `(batch, time, channels)` to `(batch, time', channels * depth_multiplier)`. The arguments are those of
    `DepthwiseConv2D`, with one number instead of two; `"channels_first"` means `(batch, channels, time)`.
    """

    sample_by_sample = True
    rank = 1


@LAYERS.register()
class DepthwiseConv2D(DepthwiseConv):
    """A convolution of images that filters each channel separately.

    It maps `(batch, height, width, channels)` to `(batch, height', width', channels * depth_multiplier)`.

    Args:
        kernel_size: height and width of the window, or one number for both.
        strides: the distances between neighbouring windows.
        padding: `"valid"`, or `"same"` (as many outputs as inputs / strides).
        depth_multiplier: the number of filters for each channel.
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, height, width)`.
        dilation_rate: the distances between neighbouring elements of a window.
        activation: a name or a function; none by default.
        use_bias: whether there is a bias.
        depthwise_initializer: initializer of the kernel `(*kernel_size, channels, depth_multiplier)`.
        bias_initializer: initializer of the bias.
        depthwise_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output.
        depthwise_constraint: constraint applied to the kernel after each update.
        bias_constraint: constraint applied to the bias after each update.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: an argument is out of range.
    """

    sample_by_sample = True
    rank = 2


class SeparableConv(BaseConv):
    """Base of convolutions that filter each channel, then mix channels; arguments as for `SeparableConv2D`."""

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
    """A convolution along time that filters each channel separately, then mixes the channels.

    It maps `(batch, time, channels)` to `(batch, time', filters)`. The arguments are those of `SeparableConv2D`, with
    one number instead of two; `"channels_first"` means `(batch, channels, time)`.
    """

    sample_by_sample = True
    rank = 1


@LAYERS.register("SeparableConvolution2D")
class SeparableConv2D(SeparableConv):
    """A convolution of images that filters each channel separately, then mixes the channels.

    It maps `(batch, height, width, channels)` to `(batch, height', width', filters)`.

    Args:
        filters: the number of output channels.
        kernel_size: height and width of the window, or one number for both.
        strides: the distances between neighbouring windows.
        padding: `"valid"`, or `"same"` (as many outputs as inputs / strides).
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, height, width)`.
        dilation_rate: the distances between neighbouring elements of a window.
        depth_multiplier: the number of filters for each channel in the first step.
        activation: a name or a function; none by default.
        use_bias: whether there is a bias.
        depthwise_initializer: initializer of the first step's kernel `(*kernel_size, channels, depth_multiplier)`.
        pointwise_initializer: initializer of the second step's kernel `(1, 1, channels * depth_multiplier, filters)`.
        bias_initializer: initializer of the bias `(filters,)`.
        depthwise_regularizer: penalty on the first step's kernel.
        pointwise_regularizer: penalty on the second step's kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output.
        depthwise_constraint: constraint applied to the first step's kernel after each update.
        pointwise_constraint: constraint applied to the second step's kernel after each update.
        bias_constraint: constraint applied to the bias after each update.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: an argument is out of range.
    """

    sample_by_sample = True
    rank = 2


SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D
