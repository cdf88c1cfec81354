"""Cases of layers: normalization."""

from __future__ import annotations

from contract.layer_cases.case import MASK, SUMS, layer
from contract.table import N
from helpers.layer_runner import LayerCase
from polykeras import layers as L

CASES: tuple[LayerCase, ...] = (
    layer(lambda: L.BatchNormalization(), N(3, 4), "inference", **SUMS),
    layer(lambda: L.BatchNormalization(axis=1, scale=False), N(2, 3, 4, 2), "axis", training=True, **SUMS),
    layer(lambda: L.BatchNormalization(momentum=0.9), N(3, 2, 4), "training", training=True, **SUMS),
    layer(lambda: L.BatchNormalization(), N(2, 4, 3), "mask", training=True, mask=MASK, **SUMS),
    layer(lambda: L.BatchNormalization(trainable=False), N(3, 4), "frozen", training=True, **SUMS),
    layer(
        lambda: L.BatchNormalization(renorm=True, renorm_clipping={"rmax": 2.0, "rmin": 0.3, "dmax": 1.0}),
        N(3, 2, 4),
        "renorm",
        training=True,
        **SUMS,
    ),
    layer(lambda: L.LayerNormalization(), N(3, 4), **SUMS),
    layer(lambda: L.LayerNormalization((1, -1), center=False), N(2, 3, 2, 2), "axes", **SUMS),
    layer(lambda: L.GroupNormalization(2), N(2, 3, 4), **SUMS),
    layer(lambda: L.GroupNormalization(3, axis=1, center=False), N(2, 6, 2, 3), "first", **SUMS),
    layer(lambda: L.GroupNormalization(-1, axis=-2, scale=False), N(2, 3, 2, 4), "instance", **SUMS),
    layer(lambda: L.GroupNormalization(1, epsilon=1e-5), N(2, 4), "one group", **SUMS),
    layer(lambda: L.RMSNormalization(), N(3, 4), **SUMS),
    layer(lambda: L.RMSNormalization((-1, 1), epsilon=1e-3), N(2, 3, 2, 4), "apart", **SUMS),
    layer(lambda: L.RMSNormalization([2, 3]), N(2, 3, 2, 4), "axes", **SUMS),
    layer(lambda: L.UnitNormalization(), N(3, 4), **SUMS),
    layer(lambda: L.UnitNormalization((1, 2)), N(2, 3, 4), "axes", **SUMS),
)
