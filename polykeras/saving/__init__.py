"""Configs of objects, including the user's own, and files of models and weights."""

from polykeras.saving.custom_objects import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from polykeras.saving.errors import SavedFileError
from polykeras.saving.file_editor import KerasFileEditor
from polykeras.saving.model_files import load_model, save_model
from polykeras.saving.serialization import deserialize_keras_object, serialize_keras_object
from polykeras.saving.weights import load_weights, save_weights

__all__ = [
    "CustomObjectScope",
    "KerasFileEditor",
    "SavedFileError",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "save_model",
    "save_weights",
    "serialize_keras_object",
]
