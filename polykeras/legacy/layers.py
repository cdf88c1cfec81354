"""Layers of Keras 1 and 2 that Keras 3 lacks."""

from __future__ import annotations

from typing import Any

from polykeras import activations, ops
from polykeras.backend.spec import Array
from polykeras.common.arguments import positive_int
from polykeras.common.types import ActivationLike, ConstraintLike, InitializerLike, InputShape, RegularizerLike
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.layers.base.weights import keep_options, known_sizes, make_weight
from polykeras.legacy.locally_connected import LocallyConnected1D, LocallyConnected2D

__all__ = ["Highway", "LocallyConnected1D", "LocallyConnected2D", "MaxoutDense", "ThresholdedReLU"]


@LAYERS.register()
class ThresholdedReLU(Layer):
    """`x` above a threshold, otherwise 0 (https://arxiv.org/abs/1402.3337).

    Args:
        theta: the threshold, 0 or more.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if `theta` is negative or None.
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
    """A dense layer and its own input, mixed by a gate (https://arxiv.org/abs/1505.00387).

    `gate * activation(x @ kernel + bias) + (1 - gate) * x`, where `gate = sigmoid(x @ carry_kernel + carry_bias)`.

    Args:
        activation: a name or a function; none by default.
        use_bias: whether there are biases.
        kernel_initializer: the initializer of both kernels, `(width, width)`.
        kernel_regularizer: the penalty on the kernels.
        bias_regularizer: the penalty on the biases, `(width,)`. The bias of the gate is initialized with ones.
        kernel_constraint: applied to the kernels after each update.
        bias_constraint: applied to the biases after each update.
        **kwargs: see `Layer`.
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
    """The maximum of the outputs of several dense layers, unit by unit (https://arxiv.org/abs/1302.4389).

    Args:
        output_dim: the width of the output.
        nb_feature: the number of dense layers.
        use_bias: whether they have biases.
        kernel_initializer: the initializer of the kernels, `(nb_feature, input width, output_dim)`.
        kernel_regularizer: the penalty on the kernels.
        bias_regularizer: the penalty on the biases, `(nb_feature, output_dim)`.
        kernel_constraint: applied to the kernels after each update.
        bias_constraint: applied to the biases after each update.
        **kwargs: see `Layer`.
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
