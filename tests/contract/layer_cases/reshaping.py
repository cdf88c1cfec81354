"""Cases of layers: reshaping."""

from __future__ import annotations

from contract.layer_cases.case import FIRST, layer
from contract.table import N
from helpers.layer_runner import LayerCase
from polykeras import layers as L

CASES: tuple[LayerCase, ...] = (
    layer(lambda: L.Flatten(), N(2, 3, 4)),
    layer(lambda: L.Flatten(**FIRST), N(2, 3, 4), "first"),
    layer(lambda: L.Reshape((-1, 2)), N(2, 3, 4)),
    layer(lambda: L.Permute((2, 1)), N(2, 3, 4)),
    layer(lambda: L.RepeatVector(3), N(2, 4)),
    layer(lambda: L.Cropping1D((1, 2)), N(2, 6, 3)),
    layer(lambda: L.Cropping2D(((1, 0), (0, 2))), N(1, 4, 5, 2)),
    layer(lambda: L.Cropping2D(1, **FIRST), N(1, 2, 4, 5), "first"),
    layer(lambda: L.ZeroPadding1D(2), N(2, 3, 4)),
    layer(lambda: L.ZeroPadding1D((0, 2), **FIRST), N(2, 3, 4), "first"),
    layer(lambda: L.ZeroPadding2D(((1, 0), (2, 1))), N(1, 3, 4, 2)),
    layer(lambda: L.ZeroPadding2D((1, 2), **FIRST), N(1, 2, 3, 4), "first"),
    layer(lambda: L.UpSampling1D(2), N(2, 3, 4)),
    layer(lambda: L.UpSampling2D((2, 3)), N(1, 2, 3, 2)),
    layer(lambda: L.UpSampling2D((3, 2), interpolation="bilinear"), N(1, 3, 4, 2), "bilinear"),
    layer(lambda: L.UpSampling2D(2, interpolation="bicubic", **FIRST), N(1, 2, 3, 4), "bicubic first"),
    layer(lambda: L.UpSampling2D(2, interpolation="lanczos3"), N(1, 3, 3, 1), "lanczos"),
    layer(lambda: L.Cropping3D(((1, 0), (0, 2), (1, 1))), N(1, 2, 3, 4, 2)),
    layer(lambda: L.Cropping3D((0, 1, 0), **FIRST), N(1, 2, 1, 3, 2), "first"),
    layer(lambda: L.ZeroPadding3D(), N(1, 1, 2, 2, 2)),
    layer(lambda: L.ZeroPadding3D(((1, 0), (2, 1), (0, 0)), **FIRST), N(1, 2, 1, 2, 2), "first"),
    layer(lambda: L.UpSampling3D((1, 2, 3)), N(1, 2, 2, 1, 2)),
    layer(lambda: L.UpSampling3D(2, **FIRST), N(1, 2, 1, 2, 1), "first"),
)
