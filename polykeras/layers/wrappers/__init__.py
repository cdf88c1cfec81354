"""Layers that wrap other layers."""

from polykeras.layers.wrappers.pipeline import Pipeline
from polykeras.layers.wrappers.spectral_normalization import SpectralNormalization
from polykeras.layers.wrappers.wrappers import Bidirectional, TimeDistributed, Wrapper

__all__ = [
    "Bidirectional",
    "Pipeline",
    "SpectralNormalization",
    "TimeDistributed",
    "Wrapper",
]
