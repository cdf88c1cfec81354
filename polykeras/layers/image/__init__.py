"""Layers that change images: their size, the positions of pixels, colours, and mixtures."""

from polykeras.layers.image.color import (
    RandomBrightness,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomContrast,
    RandomGrayscale,
    RandomHue,
    RandomSaturation,
)
from polykeras.layers.image.filters import (
    RandomElasticTransform,
    RandomErasing,
    RandomGaussianBlur,
    RandomSharpness,
)
from polykeras.layers.image.flips import RandomFlip
from polykeras.layers.image.geometry import (
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
)
from polykeras.layers.image.mixing import CutMix, MaxNumBoundingBoxes, MixUp, Mosaic
from polykeras.layers.image.perspective import RandomPerspective
from polykeras.layers.image.policies import AugMix, RandAugment
from polykeras.layers.image.sizes import CenterCrop, RandomCrop, Resizing
from polykeras.layers.image.tone import (
    AutoContrast,
    ContrastLimitedAdaptiveHistogramEqualization,
    Equalization,
    RandomInvert,
    RandomPosterization,
    Solarization,
)

__all__ = [
    "AugMix",
    "AutoContrast",
    "CenterCrop",
    "ContrastLimitedAdaptiveHistogramEqualization",
    "CutMix",
    "Equalization",
    "MaxNumBoundingBoxes",
    "MixUp",
    "Mosaic",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "Resizing",
    "Solarization",
]
