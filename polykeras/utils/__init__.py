"""Small helpers for users. Those that few scripts need are loaded when they are first named."""

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

if TYPE_CHECKING:
    from polykeras.utils.config import Config
    from polykeras.utils.files import get_file
    from polykeras.utils.progbar import Progbar
    from polykeras.utils.sequences import pad_sequences

Sequence = PyDataset

LATER: dict[str, str] = {
    "Config": "polykeras.utils.config",
    "Progbar": "polykeras.utils.progbar",
    "get_file": "polykeras.utils.files",
    "pad_sequences": "polykeras.utils.sequences",
}
"""Names that are loaded later, with the module of each."""
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(__name__, LATER)

__all__ = [
    "Config",
    "CustomObjectScope",
    "Progbar",
    "PyDataset",
    "Sequence",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "is_keras_tensor",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "register_keras_serializable",
    "serialize_keras_object",
    "set_random_seed",
    "standardize_dtype",
    "to_categorical",
    "unpack_x_y_sample_weight",
]
