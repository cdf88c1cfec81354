"""Convolutions over one to three axes."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.backend.windows import PerAxis
from polykeras.common.arguments import positive_int
from polykeras.common.types import ActivationLike, ConstraintLike, InitializerLike, InputShape, RegularizerLike
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.base.low_rank import AdaptedWeight, LowRank
from polykeras.layers.base.weights import keep_options, make_weight
from polykeras.layers.convolution.base import BaseConv


class Conv(LowRank, BaseConv):
    """A convolution with a kernel over space and channels; arguments as for `Conv2D`.

    Raises:
        ValueError: an argument out of range; filters or channels that groups do not divide.
    """

    kernel = AdaptedWeight()

    def __init__(
        self,
        filters: int,
        kernel_size: PerAxis,
        strides: PerAxis = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: PerAxis = 1,
        groups: int = 1,
        activation: ActivationLike = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
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
        self.groups = positive_int(groups, "groups", self)
        if self.filters % self.groups:
            raise ValueError(f"{type(self).__name__}: filters ({filters}) must be divisible by groups ({groups}).")
        keep_options(self, locals(), "kernel", "bias")

    def build(self, input_shape: InputShape) -> None:
        """Make the kernel `(*kernel_size, channels / groups, filters)` and the bias."""
        channels = self._channels(input_shape)
        if channels % self.groups:
            raise ValueError(
                f"Layer {self.name!r} ({type(self).__name__}): the {channels} channels of the input must be divisible "
                f"by groups ({self.groups})."
            )
        self.kernel = make_weight(self, "kernel", (*self.kernel_size, channels // self.groups, self.filters))
        self._make_bias(self.filters)

    def convolution_op(self, inputs: Array, kernel: Array) -> Array:
        """Return the convolution alone. A subclass that gives its kernel another form overrides this.

        Args:
            inputs: `(batch, *space, channels)`, or channels first by `data_format`.
            kernel: `(*kernel_size, channels / groups, filters)`.
        """
        return ops.conv(inputs, kernel, **self._window)

    def call(self, inputs: Array) -> Array:
        """Return the convolution of `(batch, *space, channels)`, or of channels first by `data_format`."""
        return self._finish(self.convolution_op(inputs, self.kernel))


@LAYERS.register("Convolution1D")
class Conv1D(Conv):
    """A convolution along time: `(batch, time, channels)` to `(batch, time', filters)`.

    Args:
        filters: channels of the output.
        kernel_size: width of the window.
        strides: distance of neighbouring windows.
        padding: `"valid"`, `"same"` (as many outputs as inputs / strides), or `"causal"` (no output sees later inputs).
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, time)`.
        dilation_rate: distance of the elements of a window.
        groups: channels and filters are split into this many independent parts.
        activation: a name or a function; none by default.
        use_bias: whether there is a bias.
        kernel_initializer: of the kernel `(kernel_size, channels / groups, filters)`.
        bias_initializer: of the bias `(filters,)`.
        kernel_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output.
        kernel_constraint: applied to the kernel after each update.
        bias_constraint: applied to the bias after each update.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: an argument out of range; filters or channels that groups do not divide.
    """

    sample_by_sample = True
    rank = 1
    paddings = ("valid", "same", "causal")


@LAYERS.register("Convolution2D")
class Conv2D(Conv):
    """A convolution of images: `(batch, height, width, channels)` to `(batch, height', width', filters)`.

    Args:
        filters: channels of the output.
        kernel_size: height and width of the window, or one number for both.
        strides: distances of neighbouring windows.
        padding: `"valid"`, or `"same"` (as many outputs as inputs / strides).
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, height, width)`.
        dilation_rate: distances of the elements of a window.
        groups: channels and filters are split into this many independent parts.
        activation: a name or a function; none by default.
        use_bias: whether there is a bias.
        kernel_initializer: of the kernel `(*kernel_size, channels / groups, filters)`.
        bias_initializer: of the bias `(filters,)`.
        kernel_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output.
        kernel_constraint: applied to the kernel after each update.
        bias_constraint: applied to the bias after each update.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: an argument out of range; filters or channels that groups do not divide.
    """

    sample_by_sample = True
    rank = 2


@LAYERS.register("Convolution3D")
class Conv3D(Conv):
    """A convolution of volumes: `(batch, *space, channels)` to `(batch, *space', filters)`, space of three axes.

    Arguments as for `Conv2D`, with three numbers where that has two; `"channels_first"` is for
    `(batch, channels, *space)`.

    Raises:
        ValueError: as `Conv2D`.
    """

    sample_by_sample = True
    rank = 3


Convolution1D = Conv1D
Convolution2D = Conv2D
Convolution3D = Conv3D
