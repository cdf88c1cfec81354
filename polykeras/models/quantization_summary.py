"""The text that `model.quantization_summary()` prints."""

from __future__ import annotations

import math
from typing import Any

from polykeras.models.summary import bits_of


def quantization_summary(model: Any) -> str:
    """Return the dtype policies and sizes of the quantized weights of a model; see `Model.quantization_summary`.

    Args:
        model: a model.
    """
    lines, layers, numbers, total = [f"Quantized layers of {model.name!r}"], 0, 0, 0
    for layer in model._flatten_layers():
        quantized = getattr(layer, "_quantized", None)
        if quantized is None:
            continue
        # All that stands for a weight. Where floats stay, scales and histories belong to the training.
        parts = [vars(layer)[name] for name in quantized.names() if name != "bias"]
        parts = parts[:1] if quantized.keeps_floats else parts
        size = sum(math.prod(part.shape) * bits_of(part.stored_dtype) // 8 for part in parts)
        kept = ", the float weight" if quantized.keeps_floats else ""
        lines += [
            f"{layer.path or layer.name}",
            f"  dtype policy: {layer._own_policy().name}",
            f"  stored as:    {parts[0].stored_dtype}, {size:,} bytes{kept}",
        ]
        layers, total = layers + 1, total + size
        numbers += sum(math.prod(shape) for shape in quantized.shapes())
    if not layers:
        return "\n".join([*lines, "There are none."])
    lines += [
        f"Layers: {layers}. Numbers: {numbers:,}.",
        f"Stored in {total:,} bytes; as float32 in {4 * numbers:,} bytes, {4 * numbers / total:.2f} times as many.",
    ]
    return "\n".join(lines)
