"""Layers that Keras 1 or 2 had and Keras 3 has not."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from polykeras import activations, layers, ops
from polykeras.backend.spec import Array
from polykeras.common.arguments import positive_int
from polykeras.common.types import ActivationLike, ConstraintLike, InitializerLike, InputShape, RegularizerLike
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.layers.base.weights import keep_options, known_sizes, make_weight
from polykeras.layers.recurrent.conv_lstm import ConvLSTMCell
from polykeras.legacy.locally_connected import LocallyConnected1D, LocallyConnected2D

__all__ = [
    "AtrousConvolution1D",
    "AtrousConvolution2D",
    "ConvLSTM2DCell",
    "ConvRecurrent2D",
    "Deconvolution2D",
    "Deconvolution3D",
    "Highway",
    "LocallyConnected1D",
    "LocallyConnected2D",
    "MaxoutDense",
    "Recurrent",
    "ThresholdedReLU",
]

Recurrent = layers.RNN


@LAYERS.register()
class ThresholdedReLU(Layer):
    """`x` above a threshold, else 0 (https://arxiv.org/abs/1402.3337).

    Args:
        theta: the threshold, 0 or more.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: `theta` is negative or None.
    """

    sample_by_sample = True

    def __init__(self, theta: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if theta is None or theta < 0:
            raise ValueError(f"ThresholdedReLU: `theta` must be 0 or more; received {theta!r}.")
        self.theta = float(theta)
        self.supports_masking = True

    def call(self, inputs: Array) -> Array:
        """Return the outputs, in the shape of the inputs."""
        return ops.where(ops.greater(inputs, self.theta), inputs, ops.zeros_like(inputs))


@LAYERS.register()
class Highway(Layer):
    """A dense layer beside its own input, and a gate that mixes both (https://arxiv.org/abs/1505.00387).

    `gate * activation(x @ kernel + bias) + (1 - gate) * x`, where `gate = sigmoid(x @ carry_kernel + carry_bias)`.

    Args:
        activation: a name or a function; none by default.
        use_bias: whether there are biases.
        kernel_initializer: of both kernels, `(width, width)`.
        kernel_regularizer: penalty on them.
        bias_regularizer: penalty on the biases, `(width,)`; that of the gate begins with ones.
        kernel_constraint: applied to the kernels after each update.
        bias_constraint: applied to the biases after each update.
        **kwargs: as for `Layer`.
    """

    sample_by_sample = True

    def __init__(
        self,
        activation: ActivationLike = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        keep_options(self, locals() | {"bias_initializer": "zeros"}, "kernel", "bias")

    def build(self, input_shape: InputShape) -> None:
        """Make the kernels and the biases."""
        (width,) = known_sizes(self, input_shape, [-1])
        self.kernel = make_weight(self, "kernel", (width, width))
        self.carry_kernel = make_weight(self, "carry_kernel", (width, width), "kernel")
        self.bias = make_weight(self, "bias", (width,)) if self.use_bias else None
        self.carry_bias = (
            make_weight(self, "carry_bias", (width,), "bias", initializer="ones") if self.use_bias else None
        )

    def call(self, inputs: Array) -> Array:
        """Return the outputs, in the shape of the inputs."""
        gate, x = ops.matmul(inputs, self.carry_kernel), ops.matmul(inputs, self.kernel)
        if self.bias is not None and self.carry_bias is not None:
            gate, x = ops.add(gate, self.carry_bias), ops.add(x, self.bias)
        gate = ops.sigmoid(gate)
        x = x if self.activation is None else self.activation(x)
        return gate * x + (1.0 - gate) * inputs


@LAYERS.register()
class MaxoutDense(Layer):
    """The largest of several dense layers' outputs, unit by unit (https://arxiv.org/abs/1302.4389).

    Args:
        output_dim: the width of the output.
        nb_feature: how many dense layers there are.
        use_bias: whether they have biases.
        kernel_initializer: of the kernels, `(nb_feature, input width, output_dim)`.
        kernel_regularizer: penalty on them.
        bias_regularizer: penalty on the biases, `(nb_feature, output_dim)`.
        kernel_constraint: applied to the kernels after each update.
        bias_constraint: applied to the biases after each update.
        **kwargs: as for `Layer`.
    """

    sample_by_sample = True

    def __init__(
        self,
        output_dim: int,
        nb_feature: int = 4,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.output_dim = positive_int(output_dim, "output_dim", self)
        self.nb_feature = positive_int(nb_feature, "nb_feature", self)
        self.use_bias = use_bias
        keep_options(self, locals() | {"bias_initializer": "zeros"}, "kernel", "bias")

    def build(self, input_shape: InputShape) -> None:
        """Make the kernels and the biases."""
        (width,) = known_sizes(self, input_shape, [-1])
        self.kernel = make_weight(self, "kernel", (self.nb_feature, width, self.output_dim))
        self.bias = make_weight(self, "bias", (self.nb_feature, self.output_dim)) if self.use_bias else None

    def call(self, inputs: Array) -> Array:
        """Return the outputs, `(..., output_dim)`."""
        x = ops.einsum("...i,fio->...fo", inputs, self.kernel)
        return ops.max(x if self.bias is None else ops.add(x, self.bias), -2)


# ---- other names of layers of today ----------------------------------------------------------------------------------


def _instead(old: str, today: str) -> None:
    warnings.warn(f"{old} is a name of Keras 1 or 2; use {today} instead.", DeprecationWarning, stacklevel=3)


def _sized(options: dict[str, Any], *sizes: Any) -> dict[str, Any]:
    """Return options with the `kernel_size`: as Keras 2 has it, the first of some sizes, or Keras 1's one an axis."""
    given = [size for size in sizes if size is not None]
    return options | ({"kernel_size": given[0] if len(given) == 1 else tuple(given)} if given else {})


def AtrousConvolution1D(filters: int, filter_length: int | Sequence[int] | None = None, **kwargs: Any) -> Layer:
    """Return a `Conv1D`, whose `dilation_rate` was the `atrous_rate`.

    Args:
        filters: how many there are.
        filter_length: the `kernel_size`.
        **kwargs: of the layer, in the words of any Keras.
    """
    _instead("AtrousConvolution1D", "Conv1D")
    return layers.Conv1D(filters, **_sized(kwargs, filter_length))


def AtrousConvolution2D(
    filters: int, nb_row: int | Sequence[int] | None = None, nb_col: int | None = None, **kwargs: Any
) -> Layer:
    """Return a `Conv2D`, whose `dilation_rate` was the `atrous_rate`.

    Args:
        filters: how many there are.
        nb_row: the height of the window; or the `kernel_size`, without `nb_col`.
        nb_col: its width.
        **kwargs: of the layer, in the words of any Keras.
    """
    _instead("AtrousConvolution2D", "Conv2D")
    return layers.Conv2D(filters, **_sized(kwargs, nb_row, nb_col))


def Deconvolution2D(
    filters: int,
    nb_row: int | Sequence[int] | None = None,
    nb_col: int | None = None,
    output_shape: Any = None,
    **kwargs: Any,
) -> Layer:
    """Return a `Conv2DTranspose`; the output's shape follows from its other arguments.

    Args:
        filters: how many there are.
        nb_row: the height of the window; or the `kernel_size`, without `nb_col`.
        nb_col: its width.
        output_shape: not used.
        **kwargs: of the layer, in the words of any Keras.
    """
    _instead("Deconvolution2D", "Conv2DTranspose")
    return layers.Conv2DTranspose(filters, **_sized(kwargs, nb_row, nb_col))


def Deconvolution3D(
    filters: int,
    kernel_dim1: int | Sequence[int] | None = None,
    kernel_dim2: int | None = None,
    kernel_dim3: int | None = None,
    **kwargs: Any,
) -> Layer:
    """Return a `Conv3DTranspose`; the output's shape follows from its other arguments.

    Args:
        filters: how many there are.
        kernel_dim1: the first size of the window; or the `kernel_size`, without the others.
        kernel_dim2: the second.
        kernel_dim3: the third.
        **kwargs: of the layer, in the words of any Keras.
    """
    _instead("Deconvolution3D", "Conv3DTranspose")
    kwargs.pop("output_shape", None)
    return layers.Conv3DTranspose(filters, **_sized(kwargs, kernel_dim1, kernel_dim2, kernel_dim3))


def ConvLSTM2DCell(filters: int, kernel_size: int | Sequence[int], **kwargs: Any) -> Layer:
    """Return what a `ConvLSTM2D` does at one time.

    Args:
        filters: how many there are.
        kernel_size: height and width of the window, or one number for both.
        **kwargs: as for `ConvLSTM2D`.
    """
    _instead("ConvLSTM2DCell", "ConvLSTM2D")
    return ConvLSTMCell(2, filters, kernel_size, **kwargs)


def ConvRecurrent2D(filters: int, kernel_size: int | Sequence[int], **kwargs: Any) -> Layer:
    """Return a `ConvLSTM2D`, the one layer of which it was the base class.

    Args:
        filters: how many there are.
        kernel_size: height and width of the window, or one number for both.
        **kwargs: as for `ConvLSTM2D`.
    """
    _instead("ConvRecurrent2D", "ConvLSTM2D")
    return layers.ConvLSTM2D(filters, kernel_size, **kwargs)


class experimental:  # a module in Keras 2
    """`layers.experimental`, whose layers are among the others today."""

    preprocessing = layers


_MERGES = {"sum": "Add", "mul": "Multiply", "concat": "Concatenate", "ave": "Average", "max": "Maximum"}


def merge(
    inputs: Any,
    mode: str = "sum",
    dot_axes: Any = -1,
    concat_axis: int = -1,
    output_shape: Any = None,
    output_mask: Any = None,
    arguments: Any = None,
    name: str | None = None,
) -> Any:
    """Return what a layer of today makes of several inputs: Keras 1's function.

    Args:
        inputs: tensors.
        mode: `"sum"`, `"mul"`, `"concat"`, `"ave"`, `"max"`, `"dot"`, `"cos"`, or a function of the list of inputs.
        dot_axes: for `"dot"` and `"cos"`: the axis of the products, or one of each input.
        concat_axis: for `"concat"`.
        output_shape: for a function; found by itself where None.
        output_mask: for a function.
        arguments: for a function: further arguments.
        name: of the layer.

    Raises:
        ValueError: another mode.
    """
    if callable(mode):
        _instead("merge", "Lambda")
        return layers.Lambda(mode, output_shape, output_mask, arguments, name=name)(inputs)
    if mode in ("dot", "cos"):
        _instead("merge", "Dot")
        return layers.Dot(dot_axes, normalize=mode == "cos", name=name)(inputs)
    if mode not in _MERGES:
        raise ValueError(f"merge: expected a mode among {', '.join((*_MERGES, 'dot', 'cos'))}; received {mode!r}.")
    _instead("merge", _MERGES[mode])
    options = {"axis": concat_axis} if mode == "concat" else {}
    return getattr(layers, _MERGES[mode])(**options, name=name)(inputs)
