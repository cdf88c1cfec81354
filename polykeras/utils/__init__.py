"""Small helpers for users. Those that few scripts need are loaded when they are first named."""

from typing import TYPE_CHECKING

from polykeras.dtypes import standardize_dtype
from polykeras.graph import is_keras_tensor
from polykeras.lazy import lazy_names
from polykeras.naming import clear_session
from polykeras.random import set_random_seed
from polykeras.saving.serialization import (
    CustomObjectScope,
    custom_object_scope,
    deserialize_keras_object,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
    serialize_keras_object,
)
from polykeras.switches import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)
from polykeras.training.data.dataset import PyDataset
from polykeras.training.data.unpack import pack_x_y_sample_weight, unpack_x_y_sample_weight
from polykeras.utils import legacy
from polykeras.utils.arrays import normalize, to_categorical
from polykeras.utils.image import array_to_img, img_to_array, load_img, save_img

if TYPE_CHECKING:
    from polykeras.layers.preprocessing.feature_space import FeatureSpace

Sequence = PyDataset

LATER: dict[str, str] = {
    "FeatureSpace": "polykeras.layers.preprocessing.feature_space",
}
"""Names that are loaded later, with the module of each."""
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(__name__, LATER)

__all__ = [
    "CustomObjectScope",
    "FeatureSpace",
    "PyDataset",
    "Sequence",
    "array_to_img",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "img_to_array",
    "is_interactive_logging_enabled",
    "is_keras_tensor",
    "legacy",
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
