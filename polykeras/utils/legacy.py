"""Keras 2's functions for configs, under the name they have in Keras 3."""

from typing import TYPE_CHECKING

from polykeras.common.lazy import lazy_names

if TYPE_CHECKING:
    from polykeras.legacy.saving import deserialize_keras_object, serialize_keras_object

__all__ = ["deserialize_keras_object", "serialize_keras_object"]

__getattr__, __dir__ = lazy_names(__name__, dict.fromkeys(__all__, "polykeras.legacy.saving"))
