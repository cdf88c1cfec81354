"""Layers whose weights were fitted to data by GPTQ or AWQ: whole numbers, with a scale for each group of inputs."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.layers.quantized.layout import Layout
from polykeras.layers.quantized.stored import Stored
from polykeras.quantizers.grid import Grid, Rounded, nearest
from polykeras.quantizers.packing import pack_int4, unpack_int4


class Grouped(Stored):
    """Computes a layer's product with whole numbers from 0, `(outputs, inputs)`.

    A float is `(number - zero) * scale`, with the scale and the zero point of its output and its group of inputs. With
    AWQ it is divided by the scale of its input too.

    Args:
        layer: the layer.
        layouts: a list with the layout of its only weight.
        mode: `"gptq"` or `"awq"`.
        config: the description; None if there is only a dtype policy.
        rounded: the numbers; by default each is rounded by itself, for a layer that gets its numbers from a file.
    """

    supports_lora = False

    def __init__(
        self, layer: Any, layouts: list[Layout], mode: str, config: Any, rounded: Rounded | None = None
    ) -> None:
        super().__init__(layer, layouts, mode)
        (self.layout,) = layouts
        described = config or layer._own_policy()
        self.bits, self.group_size = described.weight_bits, described.group_size
        if rounded is None:
            grid = Grid(self.bits, dtype=layer.variable_dtype)
            rounded = nearest(self.layout.as_matrix(vars(layer)[self.layout.name].numpy()).T, grid, self.group_size)
        codes = rounded.codes.astype("uint8")
        parts = {
            "quantized_kernel": pack_int4(codes, axis=0, dtype="uint8")[0] if self.bits == 4 else codes,
            "kernel_scale": rounded.scale.astype("float32"),
            "kernel_zero": rounded.zero.astype("uint8"),
        }
        if mode == "awq":
            given = rounded.input_scales
            parts["awq_scales"] = (given if given is not None else rounded.groups * 0 + 1).astype("float32")
        zero = "kernel_zero" if self.layout.input_axes == -1 else "zero_point"  # Keras's names in its two layers
        parts["g_idx"] = rounded.groups.astype("float32")
        self.put(self.layout, parts, {"quantized_kernel": "kernel", "kernel_zero": zero})

    @property
    def policy_name(self) -> str:
        """The first part of the name of the layer's dtype policy, such as `gptq/4/128`."""
        return f"{self.mode}/{self.bits}/{self.group_size}"

    def names(self) -> list[str]:
        """Return the attributes of the layer's weights, in the order of files."""
        bias = ["bias"] if self.layer.bias is not None else []
        more = ["awq_scales"] if self.mode == "awq" else []
        return [*bias, "quantized_kernel", "kernel_scale", "kernel_zero", *more, "g_idx"]

    def read(self, name: str) -> Array:
        """Return the whole numbers, `(outputs, inputs)`."""
        numbers = self.part("quantized_kernel")
        return unpack_int4(numbers, self.layout.matrix[1], axis=0, dtype="uint8") if self.bits == 4 else numbers

    def floats(self, layout: Layout) -> Array:
        """Return the weight as floats."""
        dtype, groups = self.layer.compute_dtype, ops.cast(self.part("g_idx"), "int32")
        scale = ops.take(ops.cast(self.part("kernel_scale"), dtype), groups, axis=1)
        zero = ops.take(ops.cast(self.part("kernel_zero"), dtype), groups, axis=1)
        floats = ops.multiply(ops.subtract(ops.cast(self.read(layout.name), dtype), zero), scale)
        if self.mode == "awq":
            floats = ops.divide(floats, ops.cast(self.part("awq_scales"), dtype))
        return layout.from_matrix(ops.transpose(floats))
