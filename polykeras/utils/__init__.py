"""Small helpers for users. Rarely used ones are loaded on first use."""

from typing import TYPE_CHECKING

from polykeras.common.lazy import lazy_names
from polykeras.common.naming import clear_session
from polykeras.config import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)
from polykeras.dtypes import standardize_dtype
from polykeras.graph import is_keras_tensor
from polykeras.random import set_random_seed
from polykeras.saving.custom_objects import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from polykeras.saving.serialization import deserialize_keras_object, serialize_keras_object
from polykeras.training.data.dataset import PyDataset
from polykeras.training.data.unpack import pack_x_y_sample_weight, unpack_x_y_sample_weight
from polykeras.utils import legacy
from polykeras.utils.arrays import normalize, to_categorical
from polykeras.utils.image import array_to_img, img_to_array, load_img, save_img

if TYPE_CHECKING:
    from polykeras.layers.preprocessing.feature_space import FeatureSpace
    from polykeras.utils import bounding_boxes as bounding_boxes
    from polykeras.utils.config import Config
    from polykeras.utils.data.audio import audio_dataset_from_directory
    from polykeras.utils.data.images import image_dataset_from_directory
    from polykeras.utils.data.split import split_dataset
    from polykeras.utils.data.text import text_dataset_from_directory
    from polykeras.utils.data.timeseries import timeseries_dataset_from_array
    from polykeras.utils.files import get_file
    from polykeras.utils.model_graph import get_source_inputs
    from polykeras.utils.model_plot import model_to_dot, plot_model
    from polykeras.utils.progbar import Progbar
    from polykeras.utils.sequences import pad_sequences

Sequence = PyDataset

LATER: dict[str, str] = {
    "FeatureSpace": "polykeras.layers.preprocessing.feature_space",
    "Config": "polykeras.utils.config",
    "HDF5Matrix": "polykeras.legacy.gone",
    "Progbar": "polykeras.utils.progbar",
    "audio_dataset_from_directory": "polykeras.utils.data.audio",
    "bounding_boxes": "polykeras.utils.bounding_boxes",
    "get_file": "polykeras.utils.files",
    "get_source_inputs": "polykeras.utils.model_graph",
    "image_dataset_from_directory": "polykeras.utils.data.images",
    "model_to_dot": "polykeras.utils.model_plot",
    "multi_gpu_model": "polykeras.legacy.gone",
    "pad_sequences": "polykeras.utils.sequences",
    "plot_model": "polykeras.utils.model_plot",
    "split_dataset": "polykeras.utils.data.split",
    "text_dataset_from_directory": "polykeras.utils.data.text",
    "timeseries_dataset_from_array": "polykeras.utils.data.timeseries",
}
"""Names that are loaded on first use, with the module of each."""
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(__name__, LATER)

__all__ = [
    "Config",
    "CustomObjectScope",
    "FeatureSpace",
    "Progbar",
    "PyDataset",
    "Sequence",
    "array_to_img",
    "audio_dataset_from_directory",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "get_source_inputs",
    "image_dataset_from_directory",
    "img_to_array",
    "is_interactive_logging_enabled",
    "is_keras_tensor",
    "legacy",
    "load_img",
    "model_to_dot",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "save_img",
    "serialize_keras_object",
    "set_random_seed",
    "split_dataset",
    "standardize_dtype",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
    "to_categorical",
    "unpack_x_y_sample_weight",
]
