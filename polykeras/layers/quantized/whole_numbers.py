"""Layers with weights of 8-bit or 4-bit whole numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras import dtypes, ops
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike
from polykeras.dtype_policies import Int4DTypePolicy
from polykeras.layers.quantized.layout import Layout
from polykeras.layers.quantized.stored import Stored
from polykeras.quantizers import (
    AbsMaxQuantizer,
    Int4QuantizationConfig,
    abs_max_quantize_grouped_with_zero_point,
    pack_int4,
    unpack_int4,
)
from polykeras.quantizers.configs import in_blocks


class WholeNumbers(Stored):
    """Computes a layer's products with whole numbers instead of its float weights.

    A weight is replaced by whole numbers of the same name, and their scales. The float is `number / scale`. With blocks
    it is `(number - zero) * scale`, and there are also zero points, and each place's block number.

    Args:
        layer: the layer.
        layouts: the layouts of its weights.
        mode: `"int8"` or `"int4"`.
        config: the description of the quantization; None if there is only a dtype policy.
    """

    def __init__(self, layer: Any, layouts: list[Layout], mode: str, config: Any) -> None:
        super().__init__(layer, layouts, mode)
        self.weight_quantizer = config and config.weight_quantizer
        default = layer._default_activation_quantizers
        self.inputs_quantizer = (
            config.activation_quantizer if config else AbsMaxQuantizer() if mode in default else None
        )
        policy = layer._own_policy()
        size = policy.block_size if isinstance(policy, Int4DTypePolicy) else None
        size = config.block_size if isinstance(config, Int4QuantizationConfig) else size
        self.block_size = size if mode == "int4" and in_blocks(size) else None
        for layout in layouts:
            values = self.numbers_of(layout, ops.convert_to_tensor(vars(layer)[layout.name].value))
            self.put(layout, {name: values[name] for name in self._parts(layout)})

    @property
    def policy_name(self) -> str:
        """The first part of the name of the layer's dtype policy, such as `int4/128`."""
        return self.mode if self.mode == "int8" else f"int4/{self.block_size or -1}"

    # ---- the weights -------------------------------------------------------------------------------------------

    def _parts(self, layout: Layout) -> list[str]:
        """The names of the parts that replace a weight, in the order of files."""
        parts = [layout.name, f"{layout.name}_scale"]
        if self.block_size:
            parts += [f"{layout.name}_zero", *([layout.index] if layout.index else [])]
        return parts

    def names(self) -> list[str]:
        """Return the names of the layer's weights, in the order of files."""
        names = [part for layout in self.layouts.values() for part in self._parts(layout)]
        return [names[0], "bias", *names[1:]] if getattr(self.layer, "bias", None) is not None else names

    def numbers_of(self, layout: Layout, values: ArrayLike) -> dict[str, Any]:
        """Return the parts that replace a weight.

        Args:
            layout: the layout of the weight.
            values: the weight as floats.
        """
        name, axis = layout.name, layout.axis
        if self.mode == "int8":
            quantizer = self.weight_quantizer or AbsMaxQuantizer(axis=layout.summed)
            numbers, scale = quantizer(values, to_numpy=True)
            scale = ops.reshape(ops.transpose(scale, layout.order), layout.scale_shape)
            return {name: numbers, f"{name}_scale": scale}
        values = ops.reshape(values, layout.matrix)
        if not self.block_size:
            quantizer = self.weight_quantizer or AbsMaxQuantizer(axis=axis, value_range=(-8, 7))
            numbers, scale = quantizer(values, to_numpy=True)
            more = {f"{name}_scale": ops.squeeze(scale, axis)}
        else:
            turned = ops.transpose(values) if axis else values
            parts = abs_max_quantize_grouped_with_zero_point(turned, self.block_size, to_numpy=True)
            numbers, scale, zero = (ops.transpose(part) if axis else part for part in parts)
            more = {f"{name}_scale": scale, f"{name}_zero": zero}
            if layout.index:
                more[layout.index] = np.arange(layout.matrix[axis], dtype="float32") // self.block_size
            else:  # Keras stores the zero points of such a weight as floats
                more[f"{name}_zero"] = ops.cast(zero, self.layer.variable_dtype)
        return {name: pack_int4(numbers, axis=layout.packed_axis)[0]} | more

    def _numbers(self, layout: Layout) -> Any:
        numbers = ops.convert_to_tensor(vars(self.layer)[layout.name])
        if self.mode == "int4":
            axis = layout.packed_axis
            numbers = unpack_int4(numbers, layout.matrix[axis], axis=axis)
        return numbers

    def _floats(
        self, layout: Layout, numbers: Array, axis: int, pick: Callable[[Any], Any] = ops.convert_to_tensor
    ) -> Array:
        """Return the floats of numbers; `pick` selects their scales, which are shared along `axis`."""
        parts = vars(self.layer)
        numbers = ops.cast(numbers, self.layer.compute_dtype)
        scale = pick(parts[f"{layout.name}_scale"])
        if not self.block_size:
            return ops.divide(numbers, ops.expand_dims(scale, axis))
        blocks = ops.cast(ops.convert_to_tensor(parts["g_idx"]), "int32")
        zero = ops.cast(pick(parts[f"{layout.name}_zero"]), ops.dtype(scale))
        scale, zero = ops.take(scale, blocks, axis=axis), ops.take(zero, blocks, axis=axis)
        return ops.cast(ops.multiply(ops.subtract(numbers, zero), scale), self.layer.compute_dtype)

    def floats(self, layout: Layout) -> Array:
        """Return a weight as floats."""
        numbers = self._numbers(layout)
        if self.mode == "int4":
            return ops.reshape(self._floats(layout, numbers, layout.axis), layout.shape)
        sizes = [1 if i in layout.summed else layout.shape[i] for i in layout.order]
        scale = ops.convert_to_tensor(vars(self.layer)[f"{layout.name}_scale"])
        scale = ops.transpose(ops.reshape(scale, sizes), np.argsort(layout.order).tolist())
        return ops.divide(ops.cast(numbers, self.layer.compute_dtype), scale)

    # ---- what a layer computes ---------------------------------------------------------------------------------

    def product(self, function: Callable[[Any, Any], Any], inputs: Array, name: str) -> Array:
        """Return `function(inputs, weight)`, which is linear in both; with LoRA, its product is included.

        Gradients are those of the floats that the numbers represent, as if the inputs were not rounded.
        """
        layout, dtype = self.layouts[name], self.layer.compute_dtype
        numbers, scale = self._rounded(layout, inputs)
        if self.mode == "int8":  # sums of products of whole numbers are exact in floats
            outputs = function(numbers, ops.cast(self._numbers(layout), dtype))
            divisor = ops.convert_to_tensor(vars(self.layer)[f"{name}_scale"])
            outputs = ops.divide(outputs, divisor if scale is None else ops.multiply(divisor, scale))
        else:
            outputs = function(numbers, self.floats(layout))
            outputs = outputs if scale is None else ops.divide(outputs, scale)
        if self._adapted(name):
            outputs = ops.add(outputs, ops.cast(function(inputs, ops.cast(self.layer._delta(), dtype)), dtype))
        return outputs

    def _rounded(self, layout: Layout, inputs: Array) -> tuple[Array, Array]:
        """Return the inputs as whole numbers in a float dtype, and their scales in the axes of the outputs."""
        if not dtypes.is_float(ops.dtype(inputs)):
            inputs = ops.cast(inputs, self.layer.compute_dtype)
        if self.inputs_quantizer is None:
            return inputs, None
        numbers, scale = self.inputs_quantizer(ops.stop_gradient(inputs), axis=layout.input_axes)
        scaled = ops.multiply(inputs, scale)
        difference = ops.subtract(ops.cast(numbers, ops.dtype(scaled)), ops.stop_gradient(scaled))
        return ops.add(scaled, difference), layout.spread_scale(scale)

    def rows(self, indices: Array, name: str) -> Array:
        """Return rows of a matrix as floats; only these rows are unpacked."""
        layout = self.layouts[name]

        def pick(part: Any) -> Any:
            return ops.take(part, indices, axis=0)

        numbers = pick(vars(self.layer)[name])
        if self.mode == "int4":
            numbers = unpack_int4(numbers, layout.shape[-1], axis=-1)
        rows = self._floats(layout, numbers, -1, pick)
        if self._adapted(name):
            rows = ops.add(rows, ops.cast(pick(self.layer._delta()), ops.dtype(rows)))
        return rows

    def read(self, name: str) -> Array:
        """Return the value of the layer's attribute: the whole numbers."""
        return self._numbers(self.layouts[name]) if self.mode == "int4" else vars(self.layer)[name]

    def _adapted(self, name: str) -> bool:
        return self.layer.lora_enabled and name == self.layer._adaptable

    def merged(self) -> dict[str, Any]:
        """Return the parts of the weight that LoRA adapts, with the product added to it."""
        layout = self.layouts[self.layer._adaptable]
        return self.numbers_of(layout, ops.add(self.floats(layout), self.layer._delta()))
