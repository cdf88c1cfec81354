"""Quantization that a file would lose: of layers that the layer around them makes by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def refuse_hidden_quantization(model: Any, configs: Mapping[int, Any]) -> None:
    """Raise unless the config says of each quantized layer that it is, or of a layer around it.

    Args:
        model: what is to be saved.
        configs: those of all objects in its config, by their ids.

    Raises:
        ValueError: a layer is quantized that is made anew as it was before, so that its arrays would not fit.
    """
    if _quantizes(configs[id(model)]["config"]):
        return
    for layer, owner in _hidden(model, configs[id(model)], configs):
        raise ValueError(
            f"Layer {layer.name!r} ({type(layer).__name__}) within {owner.name!r} ({type(owner).__name__}) is "
            f"quantized, which a `.keras` file cannot say: {owner.name!r} makes that layer anew, without quantization. "
            "Save the weights (`save_weights`) and load them into a model that is made and quantized in the same way, "
            "or keep that layer as it is, by the `filters` of `quantize`."
        )


def _hidden(layer: Any, config: Any, configs: Mapping[int, Any]) -> Iterator[tuple[Any, Any]]:
    """Yield the quantized layers within a layer of which no config says so, each with the layer around it.

    Args:
        layer: see above.
        config: its own, or that of the nearest layer around it that has one.
        configs: see `refuse_hidden_quantization`.
    """
    for inner in layer._flatten_layers(include_self=False, recursive=False):
        own = configs.get(id(inner))
        # A `get_config` of a user's may hold what the `get_config` of a layer within gives, and not say whose it is.
        if inner.name in _quantized_names(config) if own is None else _quantizes(own["config"]):
            continue
        if getattr(inner, "_quantized", None) is not None:
            yield inner, layer
        yield from _hidden(inner, config if own is None else own, configs)


def _quantizes(config: Any) -> bool:
    """Return whether a layer's config has a policy that quantizes, or a map of policies."""
    dtype = config.get("dtype") if isinstance(config, dict) else None
    return isinstance(dtype, dict) and dtype.get("class_name") not in ("DTypePolicy", "FloatDTypePolicy")


def _quantized_names(part: Any) -> Iterator[str]:
    """Yield the names of the layers in a config that it makes quantized."""
    if isinstance(part, dict):
        if _quantizes(part):
            yield str(part.get("name"))
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from _quantized_names(inner)
