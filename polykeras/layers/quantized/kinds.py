"""What computes a layer's products in each mode of quantization."""

from __future__ import annotations

from typing import Any

from polykeras.layers.quantized.float8 import Float8
from polykeras.layers.quantized.grouped import Grouped
from polykeras.layers.quantized.ternary import Ternary
from polykeras.layers.quantized.whole_numbers import WholeNumbers

KINDS: dict[str, Any] = {
    "int8": WholeNumbers,
    "int4": WholeNumbers,
    "float8": Float8,
    "ternary": Ternary,
    "gptq": Grouped,
    "awq": Grouped,
}
"""A class for each mode, called with the layer, the layouts of its weights, the mode and a description or None."""
