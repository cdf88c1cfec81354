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
    """Base of convolutions with a kernel over space and channels; arguments as for `Conv2D`.

    Raises:
        ValueError: an argument is out of range, or `groups` does not divide the filters or channels.
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
        """Return the convolution without bias and activation. A subclass may override it to change the kernel.

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
        filters: the number of output channels.
        kernel_size: the width of the window.
        strides: the distance between neighbouring windows.
        padding: `"valid"`, `"same"` (as many outputs as inputs / strides), or `"causal"` (no output sees later inputs).
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, time)`.
        dilation_rate: the distance between neighbouring elements of a window.
        groups: the number of independent parts that channels and filters are split into.
        activation: a name or a function; none by default.
        use_bias: whether there is a bias.
        kernel_initializer: initializer of the kernel `(kernel_size, channels / groups, filters)`.
        bias_initializer: initializer of the bias `(filters,)`.
        kernel_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output.
        kernel_constraint: constraint applied to the kernel after each update.
        bias_constraint: constraint applied to the bias after each update.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: an argument is out of range, or `groups` does not divide the filters or channels.
    """

    sample_by_sample = True
    rank = 1
    paddings = ("valid", "same", "causal")


@LAYERS.register("Convolution2D")
class Conv2D(Conv):
    """A convolution of images: `(batch, height, width, channels)` to `(batch, height', width', filters)`.

    Args:
        filters: the number of output channels.
        kernel_size: height and width of the window, or one number for both.
        strides: the distances between neighbouring windows.
        padding: `"valid"`, or `"same"` (as many outputs as inputs / strides).
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, height, width)`.
        dilation_rate: the distances between neighbouring elements of a window.
        groups: the number of independent parts that channels and filters are split into.
        activation: a name or a function; none by default.
        use_bias: whether there is a bias.
        kernel_initializer: initializer of the kernel `(*kernel_size, channels / groups, filters)`.
        bias_initializer: initializer of the bias `(filters,)`.
        kernel_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output.
        kernel_constraint: constraint applied to the kernel after each update.
        bias_constraint: constraint applied to the bias after each update.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: an argument is out of range, or `groups` does not divide the filters or channels.
    """

    sample_by_sample = True
    rank = 2


@LAYERS.register("Convolution3D")
class Conv3D(Conv):
    """A convolution of volumes with three spatial axes: `(batch, *space, channels)` to `(batch, *space', filters)`.

    The arguments are those of `Conv2D`, with three numbers instead of two; `"channels_first"` means `(batch, channels,
    *space)`.

    Raises:
        ValueError: an argument is out of range, or `groups` does not divide the filters or channels.
    """

    sample_by_sample = True
    rank = 3


Convolution1D = Conv1D
Convolution2D = Conv2D
Convolution3D = Conv3D
