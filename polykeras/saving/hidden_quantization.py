"""Quantization that a file would lose, because the layer around a quantized one builds it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def refuse_hidden_quantization(model: Any, configs: Mapping[int, Any]) -> None:
    """Raise unless the config records each quantized layer as quantized, itself or in a layer around it.

    Args:
        model: the model to save.
        configs: the configs of all objects in the model's config, by id.

    Raises:
        ValueError: if a quantized layer would be built again without quantization, so that its arrays would not fit.
    """
    if _quantizes(configs[id(model)]["config"]):
        return
    for layer, owner in _hidden(model, configs[id(model)], configs):
        raise ValueError(
            f"Layer {layer.name!r} ({type(layer).__name__}) within {owner.name!r} ({type(owner).__name__}) is "
            f"quantized, which a `.keras` file cannot record: {owner.name!r} builds that layer again, unquantized. "
            "Save the weights (`save_weights`) and load them into a model that is built and quantized in the same way, "
            "or exclude that layer with the `filters` of `quantize`."
        )


def _hidden(layer: Any, config: Any, configs: Mapping[int, Any]) -> Iterator[tuple[Any, Any]]:
    """Yield the quantized layers within a layer that no config records, each with the layer around it.

    Args:
        layer: the outer layer.
        config: its own config, or that of the nearest layer around it that has one.
        configs: see `refuse_hidden_quantization`.
    """
    for inner in layer._flatten_layers(include_self=False, recursive=False):
        own = configs.get(id(inner))
        # A user's `get_config` may contain the config of an inner layer without saying whose it is.
        if inner.name in _quantized_names(config) if own is None else _quantizes(own["config"]):
            continue
        if getattr(inner, "_quantized", None) is not None:
            yield inner, layer
        yield from _hidden(inner, config if own is None else own, configs)


def _quantizes(config: Any) -> bool:
    """Return whether a layer's config has a quantizing policy, or a map of policies."""
    dtype = config.get("dtype") if isinstance(config, dict) else None
    return isinstance(dtype, dict) and dtype.get("class_name") not in ("DTypePolicy", "FloatDTypePolicy")


def _quantized_names(part: Any) -> Iterator[str]:
    """Yield the names of the layers that a config makes quantized."""
    if isinstance(part, dict):
        if _quantizes(part):
            yield str(part.get("name"))
        part = list(part.values())
    if isinstance(part, (list, tuple)):
        for inner in part:
            yield from _quantized_names(inner)
