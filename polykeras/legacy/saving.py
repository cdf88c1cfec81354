"""The old functions for configs: those of today read and write what theirs did."""

from polykeras.saving import deserialize_keras_object, serialize_keras_object

__all__ = ["deserialize_keras_object", "serialize_keras_object"]
