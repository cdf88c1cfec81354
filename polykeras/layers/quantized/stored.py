"""The base of what replaces a layer's float weights by stored numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from polykeras import dtypes, ops
from polykeras.backend.spec import Array
from polykeras.layers.quantized.layout import Layout


class Stored:
    """Computes a layer's products with stored numbers instead of its float weights.

    Args:
        layer: the layer.
        layouts: the layouts of its weights.
        mode: the word for the quantization, such as `"int8"`.

    Attributes:
        keeps_floats: whether the float weights stay.
        supports_lora: whether the layer may have LoRA.
    """

    keeps_floats = False
    supports_lora = True

    def __init__(self, layer: Any, layouts: list[Layout], mode: str) -> None:
        self.layer = layer
        self.layouts = {layout.name: layout for layout in layouts}
        self.mode = mode

    @property
    def policy_name(self) -> str:
        """The first part of the name of the layer's dtype policy."""
        return self.mode

    def put(self, layout: Layout, parts: Mapping[str, Any], names: Mapping[str, str] | None = None) -> None:
        """Replace a weight by its parts, which do not train.

        Args:
            layout: the layout of the weight.
            parts: values by the attribute of the layer. Floats are stored in the dtype of its weights, and block
                numbers as they are.
            names: names of variables that differ from the attribute.
        """
        prefix = vars(self.layer)[layout.name].path.rpartition("/")[0]
        self.layer._drop_weight(layout.name)
        for attribute, part in parts.items():
            value = ops.convert_to_numpy(part)
            as_it_is = dtypes.is_int(value.dtype.name) or attribute == layout.index
            name = (names or {}).get(attribute, attribute)
            made = self.layer.add_weight(
                value.shape,
                "zeros",
                value.dtype.name if as_it_is else None,
                False,
                autocast=attribute != layout.index,
                name=name,
            )
            made.path = f"{prefix}/{name}"
            made.assign(value)
            setattr(self.layer, attribute, made)

    def shapes(self) -> list[tuple[int, ...]]:
        """Return the shapes of the weights as floats."""
        return [layout.shape for layout in self.layouts.values()]

    def part(self, name: str) -> Array:
        """Return the value of a part."""
        return ops.convert_to_tensor(vars(self.layer)[name])

    def names(self) -> list[str]:
        """Return the attributes of the layer's weights, in the order of files."""
        raise NotImplementedError

    def floats(self, layout: Layout) -> Array:
        """Return a weight as floats."""
        raise NotImplementedError

    def product(self, function: Callable[[Any, Any], Any], inputs: Array, name: str) -> Array:
        """Return `function(inputs, weight)`, which is linear in both."""
        return function(inputs, self.floats(self.layouts[name]))

    def shift(self, bias: Array) -> Array:
        """Return the bias for adding."""
        return bias
