"""Transposed convolutions: from something of the shape of a convolution's outputs to the shape of its inputs."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.backend.windows import PerAxis
from polykeras.common.arguments import int_tuple, positive_int
from polykeras.common.types import ActivationLike, ConstraintLike, InitializerLike, InputShape, RegularizerLike
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.base.weights import keep_options, make_weight
from polykeras.layers.convolution.base import BaseConv


class ConvTranspose(BaseConv):
    """The gradient of a convolution in its inputs, as a layer; arguments as for `Conv2DTranspose`."""

    def __init__(
        self,
        filters: int,
        kernel_size: PerAxis,
        strides: PerAxis = 1,
        padding: str = "valid",
        output_padding: PerAxis | None = None,
        data_format: str | None = None,
        dilation_rate: PerAxis = 1,
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
        self.output_padding = self._checked(output_padding)
        keep_options(self, locals(), "kernel", "bias")

    def _checked(self, output_padding: PerAxis | None) -> tuple[int, ...] | None:
        if output_padding is None:
            return None
        sizes = int_tuple(output_padding, self.rank, "output_padding", self, minimum=0)
        if any(extra >= stride for extra, stride in zip(sizes, self.strides, strict=True)):
            raise ValueError(
                f"{type(self).__name__}: `output_padding` must be less than `strides` along each axis; received "
                f"output_padding={output_padding}, strides={self.strides}."
            )
        return sizes

    def build(self, input_shape: InputShape) -> None:
        """Make the kernel `(*kernel_size, filters, channels)` and the bias."""
        channels = self._channels(input_shape)
        self.kernel = make_weight(self, "kernel", (*self.kernel_size, self.filters, channels))
        self._make_bias(self.filters)

    def call(self, inputs: Array) -> Array:
        """Return the transposed convolution of `(batch, *space, channels)`, or of channels first by `data_format`."""
        return self._finish(ops.conv_transpose(inputs, self.kernel, output_padding=self.output_padding, **self._window))


@LAYERS.register("Convolution1DTranspose")
class Conv1DTranspose(ConvTranspose):
    """A transposed convolution along time: `(batch, time, channels)` to `(batch, time', filters)`.

    Arguments as for `Conv2DTranspose`, with one number where that has two; `"channels_first"` is for
    `(batch, channels, time)`.
    """

    sample_by_sample = True
    rank = 1


@LAYERS.register("Convolution2DTranspose")
class Conv2DTranspose(ConvTranspose):
    """A transposed convolution of images: `(batch, height, width, channels)` to `(batch, height', width', filters)`.

    It is the gradient of `Conv2D` in its inputs, and so leads from the shape of that layer's outputs to the one of its
    inputs. Source: Zeiler et al., "Deconvolutional networks", CVPR 2010, https://doi.org/10.1109/CVPR.2010.5539957.

    Args:
        filters: channels of the output.
        kernel_size: height and width of the window, or one number for both.
        strides: how many times larger the output is, nearly.
        padding: `"same"` gives `size * stride` places along an axis, `"valid"` gives
            `(size - 1) * stride + max(kernel_size, stride)`; `kernel_size` with its dilation.
        output_padding: places to add at the end of each axis, less than its stride. The output then has
            `(size - 1) * stride + kernel_size + output_padding` places (`"valid"`), or
            `(size - 1) * stride + kernel_size % 2 + output_padding` (`"same"`).
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, height, width)`.
        dilation_rate: distances of the elements of a window.
        activation: a name or a function; none by default.
        use_bias: whether there is a bias.
        kernel_initializer: of the kernel `(*kernel_size, filters, channels)`.
        bias_initializer: of the bias `(filters,)`.
        kernel_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output.
        kernel_constraint: applied to the kernel after each update.
        bias_constraint: applied to the bias after each update.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: an argument out of range.

    Example:
        >>> from polykeras import layers
        >>> layers.Conv2DTranspose(8, 3, strides=2, padding="same")(layers.Input((14, 14, 16))).shape
        (None, 28, 28, 8)
    """

    sample_by_sample = True
    rank = 2


@LAYERS.register("Convolution3DTranspose")
class Conv3DTranspose(ConvTranspose):
    """A transposed convolution of volumes: `(batch, *space, channels)` to `(batch, *space', filters)`.

    Arguments as for `Conv2DTranspose`, with three numbers where that has two, and `data_format` before
    `output_padding` as in Keras; `"channels_first"` is for `(batch, channels, *space)`.
    """

    sample_by_sample = True
    rank = 3

    def __init__(
        self,
        filters: int,
        kernel_size: PerAxis,
        strides: PerAxis = 1,
        padding: str = "valid",
        data_format: str | None = None,
        output_padding: PerAxis | None = None,
        dilation_rate: PerAxis = 1,
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
            filters,
            kernel_size,
            strides,
            padding,
            output_padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            **kwargs,
        )


Convolution1DTranspose = Conv1DTranspose
Convolution2DTranspose = Conv2DTranspose
Convolution3DTranspose = Conv3DTranspose
