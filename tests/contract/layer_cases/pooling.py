"""Cases of layers: pooling."""

from __future__ import annotations

from contract.layer_cases.case import FIRST, MASK, layer
from contract.table import N, S
from helpers.layer_runner import LayerCase
from polykeras import layers as L

CASES: tuple[LayerCase, ...] = (
    layer(lambda: L.MaxPooling1D(2), S(2, 5, 3)),
    layer(lambda: L.MaxPooling1D(3, strides=1, padding="same", **FIRST), S(2, 3, 5), "first"),
    layer(lambda: L.MaxPooling2D(2, padding="same"), S(1, 5, 5, 2)),
    layer(lambda: L.MaxPooling2D((3, 2), strides=(1, 2), **FIRST), S(1, 2, 5, 5), "first"),
    layer(lambda: L.AveragePooling1D(3, strides=1), N(2, 5, 3)),
    layer(lambda: L.AveragePooling1D(2, padding="same", **FIRST), N(2, 3, 5), "first"),
    layer(lambda: L.AveragePooling2D((2, 3), padding="same"), N(1, 5, 5, 2)),
    layer(lambda: L.AveragePooling2D(2, strides=1, **FIRST), N(1, 2, 4, 5), "first"),
    layer(lambda: L.GlobalAveragePooling1D(), N(2, 4, 3)),
    layer(lambda: L.GlobalAveragePooling1D(), N(2, 4, 3), "mask", mask=MASK),
    layer(lambda: L.GlobalAveragePooling1D(keepdims=True, **FIRST), N(2, 3, 4), "first mask", mask=MASK),
    layer(lambda: L.GlobalAveragePooling2D(keepdims=True), N(1, 3, 4, 2)),
    layer(lambda: L.GlobalAveragePooling2D(**FIRST), N(1, 2, 3, 4), "first"),
    layer(lambda: L.GlobalMaxPooling1D(), S(2, 4, 3)),
    layer(lambda: L.GlobalMaxPooling1D(keepdims=True, **FIRST), S(2, 3, 4), "first"),
    layer(lambda: L.GlobalMaxPooling2D(), S(1, 3, 4, 2)),
    layer(lambda: L.GlobalMaxPooling2D(**FIRST), S(1, 2, 3, 4), "first"),
)
