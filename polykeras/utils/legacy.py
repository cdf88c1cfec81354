"""Keras 2's functions for configs, under Keras 3's name for them."""

from polykeras.lazy import lazy_names

__all__ = ["deserialize_keras_object", "serialize_keras_object"]  # noqa: F822

__getattr__, __dir__ = lazy_names(__name__, dict.fromkeys(__all__, "polykeras.legacy.saving"))
