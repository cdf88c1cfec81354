"""Convolutions with a different kernel at each position, which Keras 2 had and Keras 3 lacks."""

from __future__ import annotations

from itertools import product
from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common.arguments import int_tuple, positive_int
from polykeras.common.types import ActivationLike, ConstraintLike, InitializerLike, InputShape, RegularizerLike
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.base.weights import keep_options, known_sizes, make_weight
from polykeras.layers.convolution.base import BaseConv


class _LocallyConnected(BaseConv):
    """A convolution with a different kernel at each position."""

    paddings = ("valid",)
    _not_in_config = (*BaseConv._not_in_config, "dilation_rate")

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        activation: ActivationLike = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        implementation: int = 1,
        **kwargs: Any,
    ) -> None:
        kwargs["activity_regularizer"] = activity_regularizer
        super().__init__(kernel_size, strides, padding, data_format, 1, activation, use_bias, **kwargs)
        self.filters = positive_int(filters, "filters", self)
        self.implementation = implementation
        keep_options(self, locals(), "kernel", "bias")

    def _places(self, sizes: Any) -> tuple[int, ...]:
        windows = zip(sizes, self.kernel_size, self.strides, strict=True)
        return tuple((size - width) // stride + 1 for size, width, stride in windows)

    def build(self, input_shape: InputShape) -> None:
        """Create the kernels and biases, one for each position."""
        channels = self._channels(input_shape)
        places = int_tuple(self._places(known_sizes(self, input_shape, self._space)), self.rank, "places", self)
        count, width = 1, channels
        for place, size in zip(places, self.kernel_size, strict=True):
            count, width = count * place, width * size
        self.kernel = make_weight(self, "kernel", (count, width, self.filters))
        self.bias = make_weight(self, "bias", (*places, self.filters)) if self.use_bias else None

    def call(self, inputs: Array) -> Array:
        """Return the outputs, `(batch, *places, filters)`, or channels first."""
        x = ops.moveaxis(inputs, 1, -1) if self.data_format == "channels_first" else inputs
        batch, *sizes, _ = ops.shape(x)
        places = self._places(sizes)
        parts = []
        for start in product(*map(range, self.kernel_size)):
            window = zip(start, places, self.strides, strict=True)
            cut = tuple(slice(first, first + stride * (place - 1) + 1, stride) for first, place, stride in window)
            parts.append(x[(slice(None), *cut)])
        windows = ops.concatenate(parts, -1)
        windows = ops.reshape(windows, (batch, self.kernel.shape[0], self.kernel.shape[1]))
        x = ops.reshape(ops.einsum("bpk,pkf->bpf", windows, self.kernel), (batch, *places, self.filters))
        x = x if self.bias is None else ops.add(x, self.bias)
        x = x if self.activation is None else self.activation(x)
        return ops.moveaxis(x, -1, 1) if self.data_format == "channels_first" else x


@LAYERS.register()
class LocallyConnected1D(_LocallyConnected):
    """A convolution over one axis with a different kernel at each position.

    Args:
        filters: the number of output channels.
        kernel_size: the size of the window.
        strides: the distance between neighbouring windows.
        padding: only "valid".
        data_format: "channels_last" or "channels_first"; by default the configured one.
        activation: a name or a function; by default none.
        use_bias: whether there is a bias, `(places, filters)`.
        kernel_initializer: the initializer of the kernels, `(places, kernel size * channels, filters)`.
        bias_initializer: the initializer of the bias.
        kernel_regularizer: the penalty on the kernels.
        bias_regularizer: the penalty on the bias.
        activity_regularizer: the penalty on the output.
        kernel_constraint: applied to the kernels after each update.
        bias_constraint: applied to the bias after each update.
        implementation: accepted as in Keras 2, without effect.
        **kwargs: see `Layer`.
    """

    sample_by_sample = True


@LAYERS.register()
class LocallyConnected2D(_LocallyConnected):
    """A convolution over two axes with a different kernel at each position.

    Arguments are as for `LocallyConnected1D`.
    """

    rank = 2
    sample_by_sample = True
