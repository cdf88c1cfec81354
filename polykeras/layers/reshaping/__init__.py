"""Layers that move elements: reshape, pad, crop, repeat."""

from polykeras.layers.reshaping.reshape import Flatten, Permute, RepeatVector, Reshape
from polykeras.layers.reshaping.resizing import (
    Cropping1D,
    Cropping2D,
    UpSampling1D,
    UpSampling2D,
    ZeroPadding1D,
    ZeroPadding2D,
)

__all__ = [
    "Cropping1D",
    "Cropping2D",
    "Flatten",
    "Permute",
    "RepeatVector",
    "Reshape",
    "UpSampling1D",
    "UpSampling2D",
    "ZeroPadding1D",
    "ZeroPadding2D",
]
