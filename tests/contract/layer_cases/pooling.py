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
    layer(lambda: L.MaxPooling3D((1, 2, 3), padding="same"), S(1, 2, 3, 4, 2)),
    layer(lambda: L.MaxPooling3D(2, strides=1, **FIRST), S(1, 2, 2, 3, 3), "first"),
    layer(lambda: L.AveragePooling3D((2, 1, 2), strides=(1, 2, 1), padding="same"), N(1, 2, 3, 3, 2)),
    layer(lambda: L.AveragePooling3D(2, strides=3, **FIRST), N(1, 2, 5, 2, 3), "first huge stride"),
    layer(lambda: L.GlobalAveragePooling3D(), N(2, 2, 1, 3, 2)),
    layer(lambda: L.GlobalAveragePooling3D(keepdims=True, **FIRST), N(2, 2, 1, 3, 2), "first"),
    layer(lambda: L.GlobalMaxPooling3D(keepdims=True), S(2, 2, 1, 3, 2)),
    layer(lambda: L.GlobalMaxPooling3D(**FIRST), S(2, 2, 1, 3, 2), "first"),
    layer(lambda: L.AdaptiveAveragePooling1D(3), N(2, 5, 2)),
    layer(lambda: L.AdaptiveAveragePooling1D(7, **FIRST), N(2, 3, 5), "first more than there are"),
    layer(lambda: L.AdaptiveAveragePooling2D((2, 3)), N(1, 3, 4, 2)),
    layer(lambda: L.AdaptiveAveragePooling2D((3, 1), **FIRST), N(1, 2, 3, 4), "first"),
    layer(lambda: L.AdaptiveAveragePooling3D((1, 2, 3)), N(1, 2, 3, 4, 2)),
    layer(lambda: L.AdaptiveAveragePooling3D(2, **FIRST), N(1, 2, 3, 3, 2), "first"),
    layer(lambda: L.AdaptiveMaxPooling1D(3), S(2, 5, 2)),
    layer(lambda: L.AdaptiveMaxPooling1D(7, **FIRST), S(2, 3, 5), "first more than there are"),
    layer(lambda: L.AdaptiveMaxPooling2D((2, 3)), S(1, 3, 4, 2)),
    layer(lambda: L.AdaptiveMaxPooling2D((3, 2), **FIRST), S(1, 2, 3, 4), "first"),
    layer(lambda: L.AdaptiveMaxPooling3D((1, 2, 3)), S(1, 2, 3, 4, 2)),
    layer(lambda: L.AdaptiveMaxPooling3D(2, **FIRST), S(1, 2, 3, 3, 2), "first"),
)
