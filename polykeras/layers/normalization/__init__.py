"""Normalization."""

from polykeras.layers.normalization.batch_normalization import BatchNormalization
from polykeras.layers.normalization.layer_normalization import LayerNormalization

__all__ = [
    "BatchNormalization",
    "LayerNormalization",
]
