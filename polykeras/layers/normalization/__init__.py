"""Normalization layers."""

from polykeras.layers.normalization.batch_normalization import BatchNormalization
from polykeras.layers.normalization.group_normalization import GroupNormalization
from polykeras.layers.normalization.layer_normalization import LayerNormalization
from polykeras.layers.normalization.norms import RMSNormalization, UnitNormalization

__all__ = [
    "BatchNormalization",
    "GroupNormalization",
    "LayerNormalization",
    "RMSNormalization",
    "UnitNormalization",
]
