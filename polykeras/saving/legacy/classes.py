"""Classes of polykeras by name. `saving` is below layers and optimizers, so it finds them by registries."""

from __future__ import annotations

from typing import Any

from polykeras.saving import serialization
from polykeras.saving.serialization import Registry

LAYERS, OPTIMIZERS = "keras.layers", "keras.optimizers"
LOSSES, METRICS = "keras.losses", "keras.metrics"


def registry_of(module: str) -> Registry[Any]:
    """Return the registry of a public module."""
    return serialization._registries[module]


def is_a(layer: Any, *names: str) -> bool:
    """Return whether a layer is an instance of one of these built-in classes."""
    known = registry_of(LAYERS)._objects
    return isinstance(layer, tuple(known[name] for name in names))


def is_model(layer: Any) -> bool:
    """Return whether a layer is a model."""
    return is_a(layer, "Model")
