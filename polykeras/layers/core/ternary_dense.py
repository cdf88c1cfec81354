"""A dense layer that learns weights of -1, 0 and 1."""

from __future__ import annotations

from typing import Any, ClassVar

from polykeras import activations, ops
from polykeras.backend.spec import Array
from polykeras.common.arguments import not_negative, positive_int
from polykeras.common.types import ActivationLike, ConstraintLike, InitializerLike, InputShape, RegularizerLike
from polykeras.layers.base.input_spec import InputSpec
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.base.low_rank import AdaptedWeight
from polykeras.layers.base.quantizable import Quantizable
from polykeras.layers.base.weights import keep_options, known_sizes, make_weight
from polykeras.layers.quantized.layout import Layout, of_matrix
from polykeras.quantizers.ternary import ternarize


@LAYERS.register()
class TernaryDense(Quantizable):
    """`activation(scale * (inputs @ signs) + bias)`, where the signs of the kernel are -1, 0 and 1.

    A number of the kernel whose absolute value is above the threshold counts as its sign, and others as 0. The scale is
    the kernel's mean absolute value. `quantize("ternary")` stores the signs, five in a byte, and gives the same
    outputs.

    The kernel itself is float, and trains. Its gradient is that of the formula if the signs were the kernel:
    `scale * transpose(inputs) @ g`, where `g` is the gradient of what the activation is applied to. Numbers that count
    as 0 have it too, so that they may grow. Without a threshold, the gradient through the mean in the scale is added:
    `sum(g * (inputs @ signs)) * sign(kernel) / size(kernel)`.
    Source: Ma et al., 2024, https://arxiv.org/abs/2402.17764, section 2; for the gradients Bengio et al., 2013,
    https://arxiv.org/abs/1308.3432.

    Args:
        units: the width of the output.
        threshold: a number of 0 or more; by default half of the kernel's mean absolute value. With a threshold the
            scale is 1.
        activation: the name of an activation, or a function; none by default.
        use_bias: whether there is a bias.
        kernel_initializer: initializer of the kernel, `(input width, units)`.
        bias_initializer: initializer of the bias, `(units,)`.
        kernel_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output.
        kernel_constraint: constraint applied to the kernel after each update.
        bias_constraint: constraint applied to the bias after each update.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: `units` is not a positive int, or the threshold is not such a number.

    Example:
        >>> from polykeras import layers
        >>> layer = layers.TernaryDense(1, kernel_initializer="ones")
        >>> [[float(v) for v in row] for row in layer([[1.0, 2.0, 3.0]])]
        [[6.0]]
    """

    sample_by_sample = True
    kernel = AdaptedWeight()
    _modes: ClassVar[tuple[str, ...]] = ("ternary",)
    _not_in_config = (*Quantizable._not_in_config, "lora_rank", "lora_alpha", "quantization_config")

    def __init__(
        self,
        units: int,
        threshold: float | None = None,
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
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = positive_int(units, "units", self)
        self.threshold = None if threshold is None else not_negative(threshold, "threshold", self)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        keep_options(self, locals(), "kernel", "bias")
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape: InputShape) -> None:
        """Make the kernel and the bias."""
        (width,) = known_sizes(self, input_shape, [-1])
        # Not cast where the layer computes in 16 bits: what `quantize` stores is decided on the kernel itself.
        self.kernel = make_weight(self, "kernel", (width, self.units), autocast=False)
        self.bias = make_weight(self, "bias", (self.units,)) if self.use_bias else None
        self.input_spec = InputSpec(min_ndim=2, axes={-1: width})

    def call(self, inputs: Array) -> Array:
        """Return the outputs, `(..., units)`, for inputs `(..., input width)`.

        Args:
            inputs: floats; the last axis has the width with which the layer was built.
        """
        x = self._shift(self._product(ops.matmul, inputs) if self._quantized else self._trained(inputs))
        return x if self.activation is None else self.activation(x)

    def _trained(self, inputs: Array) -> Array:
        kernel = ops.convert_to_tensor(self.kernel)
        signs, scale = ternarize(kernel, self.threshold)
        kernel = ops.cast(kernel, self.compute_dtype)
        # Its value is that of the signs, to the last bit, and its gradient that of the kernel.
        kernel = ops.add(ops.subtract(kernel, ops.stop_gradient(kernel)), ops.cast(signs, self.compute_dtype))
        x = ops.matmul(inputs, kernel)
        return x if self.threshold is not None else ops.multiply(x, ops.cast(scale, ops.dtype(x)))

    def _layouts(self) -> list[Layout]:
        return [of_matrix("kernel", vars(self)["kernel"].shape)]

    def _refuses_lora(self) -> str | None:
        return "a kernel of -1, 0 and 1 cannot hold the sum that LoRA trains"
