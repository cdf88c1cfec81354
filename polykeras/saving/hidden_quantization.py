"""Quantization that a file would lose: of layers that the layer around them makes by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def refuse_hidden_quantization(model: Any, described: Any) -> None:
    """Raise unless the config says of each quantized layer that it is, or of a layer around it.

    Args:
        model: what is to be saved.
        described: its config.

    Raises:
        ValueError: a layer is quantized that is made anew as it was before, so that its arrays would not fit.
    """
    if model.name in (said := set(_quantized_names(described))):
        return
    for layer, owner in _hidden(model, said):
        raise ValueError(
            f"Layer {layer.name!r} ({type(layer).__name__}) within {owner.name!r} ({type(owner).__name__}) is "
            f"quantized, which a `.keras` file cannot say: {owner.name!r} makes that layer anew, without quantization. "
            "Save the weights (`save_weights`) and load them into a model that is made and quantized in the same way, "
            "or keep that layer as it is, by the `filters` of `quantize`."
        )


def _quantized_names(part: Any) -> Iterator[str]:
    """Yield the names of the layers that a config makes with a policy that quantizes, or with a map of policies."""
    if isinstance(part, dict):
        dtype = part.get("dtype")
        if isinstance(dtype, dict) and dtype.get("class_name") not in ("DTypePolicy", "FloatDTypePolicy"):
            yield str(part.get("name"))
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from _quantized_names(inner)


def _hidden(layer: Any, said: set[str]) -> Iterator[tuple[Any, Any]]:
    """Yield the quantized layers within a layer that the config does not name, each with the layer around it."""
    for inner in layer._flatten_layers(include_self=False, recursive=False):
        if inner.name not in said:
            if getattr(inner, "_quantized", None) is not None:
                yield inner, layer
            yield from _hidden(inner, said)
