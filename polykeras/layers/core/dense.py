"""The fully connected layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polykeras import activations, ops
from polykeras.backend.spec import Array
from polykeras.common.arguments import positive_int
from polykeras.common.types import ActivationLike, ConstraintLike, InitializerLike, InputShape, RegularizerLike
from polykeras.layers.base.input_spec import InputSpec
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.base.low_rank import AdaptedWeight
from polykeras.layers.base.quantizable import Quantizable
from polykeras.layers.base.weights import keep_options, known_sizes, make_weight
from polykeras.layers.quantized.layout import Layout, of_matrix

if TYPE_CHECKING:
    from polykeras.quantizers import QuantizationConfig


@LAYERS.register()
class Dense(Quantizable):
    """`activation(inputs @ kernel + bias)`.

    Args:
        units: the width of the output.
        activation: the name of an activation, or a function; none by default.
        use_bias: whether there is a bias.
        kernel_initializer: initializer of the kernel, `(input width, units)`.
        bias_initializer: initializer of the bias, `(units,)`.
        kernel_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output.
        kernel_constraint: constraint applied to the kernel after each update.
        bias_constraint: constraint applied to the bias after each update.
        lora_rank: the rank for LoRA, if it should be used; see `enable_lora`.
        lora_alpha: the scale for LoRA; see `enable_lora`.
        quantization_config: how to quantize, if the dtype policy is a quantized one; see `quantize`.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: `units` is not a positive int.

    Example:
        >>> from polykeras import layers
        >>> layer = layers.Dense(2, kernel_initializer="ones")
        >>> [[float(v) for v in row] for row in layer([[1.0, 2.0, 3.0]])]
        [[6.0, 6.0]]
    """

    sample_by_sample = True
    kernel = AdaptedWeight()

    def __init__(
        self,
        units: int,
        activation: ActivationLike = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: QuantizationConfig | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            activity_regularizer=activity_regularizer,
            lora_rank=lora_rank,
            lora_alpha=lora_alpha,
            quantization_config=quantization_config,
            **kwargs,
        )
        self.units = positive_int(units, "units", self)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        keep_options(self, locals(), "kernel", "bias")
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape: InputShape) -> None:
        """Make the kernel and the bias."""
        (width,) = known_sizes(self, input_shape, [-1])
        self.kernel = make_weight(self, "kernel", (width, self.units))
        self.bias = make_weight(self, "bias", (self.units,)) if self.use_bias else None
        self.input_spec = InputSpec(min_ndim=2, axes={-1: width})

    def call(self, inputs: Array, training: bool | None = None) -> Array:
        """Return the outputs, `(..., units)`, for inputs `(..., input width)`; `training` changes nothing.

        Args:
            inputs: floats; the last axis has the width with which the layer was built.
            training: not used; wrappers may pass it.
        """
        x = self._shift(self._product(ops.matmul, inputs))
        return x if self.activation is None else self.activation(x)

    def _layouts(self) -> list[Layout]:
        return [of_matrix("kernel", vars(self)["kernel"].shape)]
