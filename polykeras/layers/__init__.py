"""Layers. Each family has a folder, whose `__init__.py` lists its names.

Rarely used families are loaded when one of their names is first used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from polykeras.common.lazy import lazy_names
from polykeras.layers import (
    attention,
    convolution,
    core,
    merging,
    normalization,
    pooling,
    recurrent,
    regularization,
    reshaping,
    wrappers,
)
from polykeras.layers.attention import *
from polykeras.layers.base.input_spec import InputSpec
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.layers.convolution import *
from polykeras.layers.core import *
from polykeras.layers.merging import *
from polykeras.layers.normalization import *
from polykeras.layers.pooling import *
from polykeras.layers.recurrent import *
from polykeras.layers.regularization import *
from polykeras.layers.reshaping import *
from polykeras.layers.wrappers import *
from polykeras.saving.serialization import serialize_keras_object

if TYPE_CHECKING:
    from polykeras.layers import image, preprocessing
    from polykeras.layers.adapters.flax_layer import *
    from polykeras.layers.adapters.jax_layer import *
    from polykeras.layers.adapters.tfsm_layer import *
    from polykeras.layers.adapters.torch_module import TorchModuleWrapper as TorchModuleWrapper
    from polykeras.layers.image import *
    from polykeras.layers.preprocessing import *


def serialize(layer: Layer) -> dict[str, Any]:
    """Return the config of a layer, with its class."""
    return serialize_keras_object(layer)


def deserialize(config: str | Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Layer:
    """Return the layer that a config describes.

    Args:
        config: the result of `serialize`.
        custom_objects: additional names that the config may use.
    """
    return LAYERS.deserialize(config, custom_objects)


__all__ = ["InputSpec", "Layer", "deserialize", "serialize"]
__all__ += attention.__all__
__all__ += convolution.__all__
__all__ += core.__all__
__all__ += merging.__all__
__all__ += normalization.__all__
__all__ += pooling.__all__
__all__ += recurrent.__all__
__all__ += regularization.__all__
__all__ += reshaping.__all__
__all__ += wrappers.__all__

_PREPROCESSING = """
    CategoryEncoding Discretization HashedCrossing Hashing IntegerLookup MelSpectrogram Normalization Rescaling
    STFTSpectrogram StringLookup TextVectorization
"""
_IMAGE = """
    AugMix AutoContrast CenterCrop ContrastLimitedAdaptiveHistogramEqualization CutMix Equalization MaxNumBoundingBoxes
    MixUp Mosaic RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop
    RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHue RandomInvert
    RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation
    RandomZoom Resizing Solarization
"""
LATER: dict[str, str] = dict.fromkeys(_PREPROCESSING.split(), "polykeras.layers.preprocessing")
LATER |= dict.fromkeys(_IMAGE.split(), "polykeras.layers.image")
LATER |= {
    "FlaxLayer": "polykeras.layers.adapters.flax_layer",
    "JaxLayer": "polykeras.layers.adapters.jax_layer",
    "TFSMLayer": "polykeras.layers.adapters.tfsm_layer",
    "TorchModuleWrapper": "polykeras.layers.adapters.torch_module",
}
"""The names of families that are loaded later, with the module of each."""
_LEGACY_CLASSES = "Highway LocallyConnected1D LocallyConnected2D MaxoutDense ThresholdedReLU"
_LEGACY_SIZES = "RandomHeight RandomWidth"
_LEGACY_FUNCTIONS = """
    AtrousConvolution1D AtrousConvolution2D ConvLSTM2DCell ConvRecurrent2D Deconvolution2D Deconvolution3D Recurrent
    experimental merge
"""
LEGACY: dict[str, str] = dict.fromkeys(_LEGACY_CLASSES.split(), "polykeras.legacy.layers")
LEGACY |= dict.fromkeys(_LEGACY_FUNCTIONS.split(), "polykeras.legacy.layer_names")
LEGACY |= dict.fromkeys(_LEGACY_SIZES.split(), "polykeras.legacy.random_sizes")
"""Names of Keras 1 and 2 that Keras 3 lacks, with the module of each."""
if TYPE_CHECKING:
    __all__ += image.__all__
    __all__ += preprocessing.__all__
else:
    __all__ += list(LATER)
    __getattr__, __dir__ = lazy_names(__name__, LATER | LEGACY)
LAYERS.register_later(LATER | {name: LEGACY[name] for name in f"{_LEGACY_CLASSES} {_LEGACY_SIZES}".split()})
# Files contain this name; users reach the class as `polykeras.utils.FeatureSpace`.
LAYERS.register_later({"FeatureSpace": "polykeras.layers.preprocessing.feature_space"})
LAYERS.register_later(
    dict.fromkeys(("Cross", "Feature", "TFDIdentity"), "polykeras.layers.preprocessing.feature_kinds")
)
