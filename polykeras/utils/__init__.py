"""Small helpers for users."""

from polykeras.random import set_random_seed
from polykeras.saving.serialization import (
    CustomObjectScope,
    custom_object_scope,
    deserialize_keras_object,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
    serialize_keras_object,
)
from polykeras.training.data.dataset import PyDataset
from polykeras.training.data.unpack import pack_x_y_sample_weight, unpack_x_y_sample_weight
from polykeras.utils.arrays import normalize, to_categorical
from polykeras.naming import reset_names as clear_session

__all__ = [
    "CustomObjectScope",
    "PyDataset",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_registered_name",
    "get_registered_object",
    "normalize",
    "pack_x_y_sample_weight",
    "register_keras_serializable",
    "serialize_keras_object",
    "set_random_seed",
    "to_categorical",
    "unpack_x_y_sample_weight",
]
