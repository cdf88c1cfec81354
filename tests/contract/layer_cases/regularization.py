"""Cases of layers: regularization."""

from __future__ import annotations

from contract.layer_cases.case import FIRST, SUMS, layer
from contract.table import N
from helpers.layer_runner import LayerCase
from polykeras import layers as L

CASES: tuple[LayerCase, ...] = (
    layer(lambda: L.Dropout(0.4), N(4, 5), training=True),
    layer(lambda: L.Dropout(0.4), N(4, 5), "inference"),
    layer(lambda: L.Dropout(0.4, noise_shape=(None, 1, None)), N(4, 3, 5), "noise shape", training=True),
    layer(lambda: L.SpatialDropout1D(0.4), N(4, 3, 5), training=True),
    layer(lambda: L.GaussianDropout(0.4), N(4, 5), training=True, **SUMS),
    layer(lambda: L.GaussianNoise(0.4), N(4, 5), training=True, **SUMS),
    layer(lambda: L.ActivityRegularization(0.1), N(4, 5)),
    layer(lambda: L.SpatialDropout2D(0.4), N(4, 2, 3, 5), training=True),
    layer(lambda: L.SpatialDropout2D(0.4, **FIRST), N(4, 5, 2, 3), "first", training=True),
    layer(lambda: L.SpatialDropout3D(0.4), N(3, 2, 1, 2, 4), training=True),
    layer(lambda: L.SpatialDropout3D(0.4, **FIRST), N(3, 4, 2, 1, 2), "first", training=True),
    layer(lambda: L.AlphaDropout(0.4), N(4, 5), training=True),
    layer(lambda: L.AlphaDropout(0.4), N(4, 5), "inference"),
    layer(lambda: L.AlphaDropout(0.4, noise_shape=(None, 1, None)), N(4, 3, 5), "noise shape", training=True),
    layer(lambda: L.AlphaDropout(1.0), N(4, 5), "all", training=True),
)
