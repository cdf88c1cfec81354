"""Quantizing the layers of a model."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from polykeras.layers.base.layer import Layer
from polykeras.quantizers.configs import resolve

if TYPE_CHECKING:
    from polykeras.quantizers import QuantizationConfig

Filters = str | Sequence[str] | Callable[[Layer], bool] | None


def quantize_model(
    model: Layer,
    mode: str | None,
    config: QuantizationConfig | Mapping[str, Any] | None,
    filters: Filters,
    type_check: bool,
) -> None:
    """Quantize all layers of a model that support it; see `Model.quantize`."""
    if not (filters is None or callable(filters) or isinstance(filters, (str, list, tuple))):
        raise TypeError(
            f"quantize: `filters` must be a regular expression, a list of them or a function; received {filters!r}."
        )
    config = resolve(mode, config)
    left: list[str] = []
    for layer in list(model._flatten_layers()):
        if layer._held_layers() or not _chosen(layer, filters):
            continue
        try:
            layer.quantize(config.mode, type_check=type_check, config=config)
        except NotImplementedError:
            if layer.weights:
                left.append(f"{layer.name!r} ({type(layer).__name__})")
    if left:
        warnings.warn(f"quantize({config.mode!r}) leaves these layers unchanged: {', '.join(left)}.", stacklevel=3)


def _chosen(layer: Layer, filters: Filters) -> bool:
    if filters is None:
        return True
    if callable(filters):
        return bool(filters(layer))
    patterns = [filters] if isinstance(filters, str) else filters
    return any(re.search(pattern, layer.name) for pattern in patterns)
