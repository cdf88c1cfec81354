"""Layers that prepare data."""

from polykeras.layers.preprocessing.numeric import Normalization, Rescaling

__all__ = [
    "Normalization",
    "Rescaling",
]
