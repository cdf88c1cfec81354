"""Training with 8-bit floats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras import dtypes, ops
from polykeras.backend.spec import Array
from polykeras.dtype_policies import QuantizedFloat8DTypePolicy
from polykeras.layers.quantized.layout import Layout
from polykeras.quantizers import compute_float8_amax_history, compute_float8_scale, quantize_and_dequantize

_FORWARD, _BACKWARD = "float8_e4m3fn", "float8_e5m2"


class Float8:
    """Computes a layer's product with inputs, weight and gradients rounded to 8-bit floats.

    Each of the three has a scale and a history of largest absolute values, from which the next scale is computed. Both
    are variables whose "gradient" is their next value, which optimizers store as it is. The weight itself is not
    rounded.
    Source: Micikevicius et al., "FP8 Formats for Deep Learning", 2022, https://arxiv.org/abs/2209.05433.

    Args:
        layer: the layer.
        layouts: a list with the layout of its only weight.
        mode: `"float8"`.
        config: not used.
    """

    policy_name = mode = "float8"
    keeps_floats = True
    supports_lora = True

    def __init__(self, layer: Any, layouts: list[Layout], mode: str, config: Any) -> None:
        self.layer = layer
        (self.layout,) = layouts
        policy = layer._own_policy()
        length = getattr(policy, "amax_history_length", QuantizedFloat8DTypePolicy.default_amax_history_length)
        prefix = vars(layer)[self.layout.name].path.rpartition("/")[0]
        for what in ("inputs", self.layout.name, "outputs_grad"):
            for name, shape in ((f"{what}_scale", ()), (f"{what}_amax_history", (length,))):
                made = layer.add_weight(
                    shape,
                    "zeros" if shape else "ones",
                    "float32",
                    autocast=False,
                    overwrite_with_gradient=True,
                    name=name,
                )
                made.path = f"{prefix}/{name}"
                setattr(layer, name, made)

    def names(self) -> list[str]:
        """Return the names of the layer's weights, in the order of files."""
        kernel, bias = self.layout.name, ["bias"] if self.layer.bias is not None else []
        more = [f"{what}_{part}" for what in ("inputs", kernel, "outputs_grad") for part in ("scale", "amax_history")]
        return [kernel, *bias, *more]

    def shapes(self) -> list[tuple[int, ...]]:
        """Return the shapes of the weights as floats."""
        return [self.layout.shape]

    def _state(self, what: str) -> tuple[Array, Array]:
        parts = vars(self.layer)
        return ops.convert_to_tensor(parts[f"{what}_scale"]), ops.convert_to_tensor(parts[f"{what}_amax_history"])

    def product(self, function: Callable[[Any, Any], Any], inputs: Array, name: str) -> Array:
        """Return `function(inputs, weight)` of rounded arguments; its incoming gradient is rounded too."""
        dtype = self.layer.compute_dtype
        inputs, weight = ops.cast(inputs, dtype), ops.convert_to_tensor(getattr(self.layer, name))
        rounded = self._rounds(_FORWARD, dtype)
        outputs = function(rounded(inputs, *self._state("inputs")), rounded(weight, *self._state(name)))
        return self._rounds_gradients(_BACKWARD, dtype)(outputs, *self._state("outputs_grad"))

    def _rounds(self, form: str, dtype: str) -> Callable[..., Any]:
        @ops.custom_gradient
        def rounded(x: Array, scale: Array, history: Array) -> Array:
            def gradients(upstream: Array) -> Any:
                return upstream, *_next_state(x, scale, history, form)

            return quantize_and_dequantize(x, scale, form, dtype), gradients

        return rounded

    def _rounds_gradients(self, form: str, dtype: str) -> Callable[..., Any]:
        @ops.custom_gradient
        def unchanged(x: Array, scale: Array, history: Array) -> Array:
            def gradients(upstream: Array) -> Any:
                rounded = quantize_and_dequantize(upstream, scale, form, dtype)
                return rounded, *_next_state(upstream, scale, history, form)

            return x, gradients

        return unchanged

    def shift(self, bias: Array) -> Array:
        """Return a bias for adding: a float32 bias is rounded to bfloat16, the precision of the devices' kernels."""
        bias = ops.convert_to_tensor(bias)
        return ops.cast(ops.cast(bias, "bfloat16"), "float32") if self.layer.compute_dtype == "float32" else bias


def _next_state(x: Array, scale: Array, history: Array, form: str) -> tuple[Array, Array]:
    """Return the next scale, computed from the history, and the history with the size of `x` added."""
    largest = float(dtypes.float8_info(form).max)
    return compute_float8_scale(ops.max(history), scale, largest), compute_float8_amax_history(x, history)
