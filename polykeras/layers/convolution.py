"""Convolutions over one and two axes."""

from __future__ import annotations

from typing import Any

from polykeras import activations, config, constraints, initializers, ops, regularizers
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.layer import LAYERS, Layer
from polykeras.arguments import int_tuple, positive_int

Axes = int | tuple[int, ...]


def _padding(value: str, allowed: tuple[str, ...], owner: Layer) -> str:
    lowered = value.lower() if isinstance(value, str) else value
    if lowered not in allowed:
        raise ValueError(f"{type(owner).__name__}: `padding` must be one of {', '.join(allowed)}; received {value!r}.")
    return lowered


class BaseConv(Layer):
    """What convolution layers have in common.

    Attributes:
        rank: the number of spatial axes.
    """

    rank = 1
    paddings: tuple[str, ...] = ("valid", "same")

    def __init__(
        self,
        kernel_size: Axes,
        strides: Axes = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Axes = 1,
        activation: Any = None,
        use_bias: bool = True,
        bias_initializer: Any = "zeros",
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.kernel_size = int_tuple(kernel_size, self.rank, "kernel_size", self)
        self.strides = int_tuple(strides, self.rank, "strides", self)
        self.dilation_rate = int_tuple(dilation_rate, self.rank, "dilation_rate", self)
        self.padding = _padding(padding, self.paddings, self)
        self.data_format = config.standardize_data_format(data_format)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"{type(self).__name__}: strides and dilation cannot both exceed 1; received strides={self.strides}, "
                f"dilation_rate={self.dilation_rate}."
            )
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.bias_initializer = initializers.get(bias_initializer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def _channel_axis(self) -> int:
        return -1 if self.data_format == "channels_last" else 1

    def _channels(self, input_shape: Any) -> int:
        channels = input_shape[self._channel_axis]
        if channels is None:
            raise ValueError(
                f"Layer {self.name!r} ({type(self).__name__}) needs a known number of channels (axis {self._channel_axis}); "
                f"received the shape {tuple(input_shape)}."
            )
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={self._channel_axis: channels})
        return channels

    def _add_bias(self, filters: int) -> None:
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(filters,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )

    def _finish(self, x: Any) -> Any:
        if self.bias is not None:
            bias = self.bias.value
            if self.data_format == "channels_first":
                bias = ops.reshape(bias, (-1, *(1,) * self.rank))
            x = ops.add(x, bias)
        return x if self.activation is None else self.activation(x)

    def _geometry(self) -> dict[str, Any]:
        padding = "valid" if self.padding == "causal" else self.padding
        return {
            "strides": self.strides,
            "padding": padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
        }

    def _pad_causally(self, inputs: Any) -> Any:
        """Pad the past, so that an output sees no later input."""
        if self.padding != "causal":
            return inputs
        past = self.dilation_rate[0] * (self.kernel_size[0] - 1)
        time = (past, 0)
        return ops.pad(
            inputs, ((0, 0), time, (0, 0)) if self.data_format == "channels_last" else ((0, 0), (0, 0), time)
        )


class Conv(BaseConv):
    """A convolution with a kernel over space and channels: the base of `Conv1D` and `Conv2D`."""

    def __init__(
        self,
        filters: int,
        kernel_size: Axes,
        strides: Axes = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Axes = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
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
            bias_initializer,
            bias_regularizer,
            activity_regularizer,
            bias_constraint,
            **kwargs,
        )
        self.filters = positive_int(filters, "filters", self)
        self.groups = positive_int(groups, "groups", self)
        if self.filters % self.groups:
            raise ValueError(f"{type(self).__name__}: filters ({filters}) must be divisible by groups ({groups}).")
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)

    def build(self, input_shape: Any) -> None:
        """Make the kernel `(*kernel_size, channels / groups, filters)` and the bias."""
        channels = self._channels(input_shape)
        if channels % self.groups:
            raise ValueError(
                f"Layer {self.name!r} ({type(self).__name__}): the {channels} channels of the input must be divisible by "
                f"groups ({self.groups})."
            )
        self.kernel = self.add_weight(
            shape=(*self.kernel_size, channels // self.groups, self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        self._add_bias(self.filters)

    def call(self, inputs: Any) -> Any:
        """Return the convolution of `(batch, *space, channels)`, or of channels first by `data_format`."""
        return self._finish(ops.conv(self._pad_causally(inputs), self.kernel, **self._geometry()))


@LAYERS.register("Convolution1D")
class Conv1D(Conv):
    """A convolution along time: `(batch, time, channels)` to `(batch, time', filters)`.

    Args:
        filters: channels of the output.
        kernel_size: width of the window.
        strides: distance of neighbouring windows.
        padding: `"valid"`, `"same"` (as many outputs as inputs / strides), or `"causal"` (no output sees later inputs).
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: distance of the elements of a window.
        groups: channels and filters are split into this many independent parts.
        activation: a name or a function.
        use_bias: whether there is a bias.
        **kwargs: initializers, regularizers and constraints (`kernel_...`, `bias_...`), and arguments of `Layer`.
    """

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
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: distances of the elements of a window.
        groups: channels and filters are split into this many independent parts.
        activation: a name or a function.
        use_bias: whether there is a bias.
        **kwargs: initializers, regularizers and constraints (`kernel_...`, `bias_...`), and arguments of `Layer`.
    """

    rank = 2


class _Depthwise(BaseConv):
    """The part of depthwise and separable convolutions that filters each channel by itself."""

    def _set_depthwise(self, depth_multiplier: int, initializer: Any, regularizer: Any, constraint: Any) -> None:
        self.depth_multiplier = positive_int(depth_multiplier, "depth_multiplier", self)
        self.depthwise_initializer = initializers.get(initializer)
        self.depthwise_regularizer = regularizers.get(regularizer)
        self.depthwise_constraint = constraints.get(constraint)

    def _depthwise_weight(self, channels: int, name: str) -> Any:
        return self.add_weight(
            shape=(*self.kernel_size, channels, self.depth_multiplier),
            initializer=self.depthwise_initializer,
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
            name=name,
        )


@LAYERS.register()
class DepthwiseConv2D(_Depthwise):
    """A convolution of images that filters each channel by itself.

    Args:
        kernel_size: height and width of the window, or one number for both.
        strides: distances of neighbouring windows.
        padding: `"valid"` or `"same"`.
        depth_multiplier: filters a channel.
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: distances of the elements of a window.
        activation: a name or a function.
        use_bias: whether there is a bias.
        depthwise_initializer: of the kernel `(height, width, channels, depth_multiplier)`.
        depthwise_regularizer: penalty on the kernel.
        depthwise_constraint: applied to the kernel after each update.
        **kwargs: arguments for the bias (`bias_...`) and of `Layer`.
    """

    rank = 2

    def __init__(
        self,
        kernel_size: Axes,
        strides: Axes = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Axes = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        depthwise_regularizer: Any = None,
        depthwise_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, **kwargs)
        self._set_depthwise(depth_multiplier, depthwise_initializer, depthwise_regularizer, depthwise_constraint)

    def build(self, input_shape: Any) -> None:
        """Make the kernel and the bias."""
        channels = self._channels(input_shape)
        self.kernel = self._depthwise_weight(channels, "kernel")
        self._add_bias(channels * self.depth_multiplier)

    def call(self, inputs: Any) -> Any:
        """Return the filtered channels."""
        return self._finish(ops.depthwise_conv(inputs, self.kernel, **self._geometry()))


@LAYERS.register("SeparableConvolution2D")
class SeparableConv2D(_Depthwise):
    """A convolution of images in two steps: each channel by itself, then a mixture of the channels.

    Args:
        filters: channels of the output.
        kernel_size: height and width of the window, or one number for both.
        strides: distances of neighbouring windows.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: distances of the elements of a window.
        depth_multiplier: filters a channel in the first step.
        activation: a name or a function.
        use_bias: whether there is a bias.
        depthwise_initializer: of the first step's kernel.
        pointwise_initializer: of the second step's kernel.
        depthwise_regularizer: penalty on the first step's kernel.
        pointwise_regularizer: penalty on the second step's kernel.
        depthwise_constraint: applied to the first step's kernel.
        pointwise_constraint: applied to the second step's kernel.
        **kwargs: arguments for the bias (`bias_...`) and of `Layer`.
    """

    rank = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Axes,
        strides: Axes = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Axes = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, **kwargs)
        self.filters = positive_int(filters, "filters", self)
        self._set_depthwise(depth_multiplier, depthwise_initializer, depthwise_regularizer, depthwise_constraint)
        self.pointwise_initializer = initializers.get(pointwise_initializer)
        self.pointwise_regularizer = regularizers.get(pointwise_regularizer)
        self.pointwise_constraint = constraints.get(pointwise_constraint)

    def build(self, input_shape: Any) -> None:
        """Make both kernels and the bias."""
        channels = self._channels(input_shape)
        self.depthwise_kernel = self._depthwise_weight(channels, "depthwise_kernel")
        self.pointwise_kernel = self.add_weight(
            shape=(*(1,) * self.rank, channels * self.depth_multiplier, self.filters),
            initializer=self.pointwise_initializer,
            regularizer=self.pointwise_regularizer,
            constraint=self.pointwise_constraint,
            name="pointwise_kernel",
        )
        self._add_bias(self.filters)

    def call(self, inputs: Any) -> Any:
        """Return the mixture of the filtered channels."""
        return self._finish(
            ops.separable_conv(inputs, self.depthwise_kernel, self.pointwise_kernel, **self._geometry())
        )


Convolution1D = Conv1D
Convolution2D = Conv2D
SeparableConvolution2D = SeparableConv2D
