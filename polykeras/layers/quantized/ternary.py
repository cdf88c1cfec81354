"""Layers with weights of -1, 0 and 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.layers.quantized.layout import Layout
from polykeras.layers.quantized.stored import Stored
from polykeras.quantizers.packing import pack_ternary, unpack_ternary
from polykeras.quantizers.ternary import ternarize


class Ternary(Stored):
    """Computes a layer's product with -1, 0 and 1, stored five in a byte, and one scale for all of them.

    Args:
        layer: the layer. With a `threshold` of its own it is that of `TernaryDense`.
        layouts: a list with the layout of its only weight.
        mode: `"ternary"`.
        config: not used: the mode has no options.
    """

    supports_lora = False

    def __init__(self, layer: Any, layouts: list[Layout], mode: str, config: Any) -> None:
        super().__init__(layer, layouts, mode)
        (layout,) = layouts
        signs, scale = ternarize(vars(layer)[layout.name].numpy(), getattr(layer, "threshold", None))
        packed, _, _ = pack_ternary(signs, axis=-1)
        self.put(layout, {layout.name: packed, f"{layout.name}_scale": scale})

    def names(self) -> list[str]:
        """Return the attributes of the layer's weights, in the order of files."""
        (name,) = self.layouts
        return [name, *(["bias"] if self.layer.bias is not None else []), f"{name}_scale"]

    def read(self, name: str) -> Array:
        """Return -1, 0 and 1 as int8."""
        return unpack_ternary(self.part(name), self.layouts[name].shape[-1], axis=-1)

    def floats(self, layout: Layout) -> Array:
        """Return the weight as floats."""
        dtype = self.layer.compute_dtype
        return ops.multiply(ops.cast(self.read(layout.name), dtype), self._scale(layout.name))

    def product(self, function: Callable[[Any, Any], Any], inputs: Array, name: str) -> Array:
        """Return `function(inputs, weight)`; the scale is applied to the outputs, of which there are fewer."""
        return ops.multiply(function(inputs, ops.cast(self.read(name), self.layer.compute_dtype)), self._scale(name))

    def _scale(self, name: str) -> Array:
        return ops.cast(self.part(f"{name}_scale"), self.layer.compute_dtype)
