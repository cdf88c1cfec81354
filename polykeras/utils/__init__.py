"""Small helpers for users."""

from typing import TYPE_CHECKING

from polykeras.dtypes import standardize_dtype
from polykeras.graph import is_keras_tensor
from polykeras.lazy import lazy_names
from polykeras.naming import reset_names as clear_session
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
from polykeras.utils.image import array_to_img, img_to_array, load_img, save_img

Sequence = PyDataset

__all__ = [
    "CustomObjectScope",
    "PyDataset",
    "Sequence",
    "array_to_img",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_registered_name",
    "get_registered_object",
    "img_to_array",
    "is_keras_tensor",
    "load_img",
    "normalize",
    "pack_x_y_sample_weight",
    "register_keras_serializable",
    "save_img",
    "serialize_keras_object",
    "set_random_seed",
    "standardize_dtype",
    "to_categorical",
    "unpack_x_y_sample_weight",
]

if TYPE_CHECKING:
    from polykeras.utils import bounding_boxes as bounding_boxes
else:
    __getattr__, __dir__ = lazy_names(__name__, {"bounding_boxes": "polykeras.utils.bounding_boxes"})
