"""The fully connected layer."""

from __future__ import annotations

from typing import Any

from polykeras import activations, constraints, initializers, ops, regularizers
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.layer import LAYERS, Layer
from polykeras.arguments import positive_int


@LAYERS.register()
class Dense(Layer):
    """`activation(inputs @ kernel + bias)`.

    Args:
        units: the width of the output.
        activation: a name or a function; none by default.
        use_bias: whether there is a bias.
        kernel_initializer: of the kernel, `(input width, units)`.
        bias_initializer: of the bias, `(units,)`.
        kernel_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output.
        kernel_constraint: applied to the kernel after each update.
        bias_constraint: applied to the bias after each update.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: `units` is no positive int.

    Example:
        >>> from polykeras import layers
        >>> layer = layers.Dense(2, kernel_initializer="ones")
        >>> [[float(v) for v in row] for row in layer([[1.0, 2.0, 3.0]])]
        [[6.0, 6.0]]
    """

    def __init__(
        self,
        units: int,
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
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = positive_int(units, "units", self)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Make the kernel and the bias."""
        width = known_width(input_shape, self)
        self.kernel = self.add_weight(
            shape=(width, self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(self.units,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self.input_spec = InputSpec(min_ndim=2, axes={-1: width})

    def call(self, inputs: Any) -> Any:
        """Return the outputs, `(..., units)`, for inputs `(..., input width)`."""
        x = ops.matmul(inputs, self.kernel)
        if self.bias is not None:
            x = ops.add(x, self.bias)
        return x if self.activation is None else self.activation(x)


def known_width(input_shape: Any, layer: Layer) -> int:
    """Return the size of the last axis, which the weights of `layer` depend on.

    Raises:
        ValueError: it is not known.
    """
    if not input_shape or input_shape[-1] is None:
        raise ValueError(
            f"Layer {layer.name!r} ({type(layer).__name__}) needs inputs whose last axis has a known size; received the "
            f"shape {tuple(input_shape)}. Give that size in Input(shape=...)."
        )
    return input_shape[-1]
