"""Cases of layers: those that networks of `polykeras.applications` have for themselves."""

from __future__ import annotations

from contract.layer_cases.case import layer
from contract.table import N
from helpers.layer_runner import LayerCase
from polykeras.applications.convnext import LayerScale
from polykeras.applications.inception_resnet_v2 import CustomScaleLayer

CASES: tuple[LayerCase, ...] = (
    layer(lambda: LayerScale(0.5, 3), N(2, 2, 2, 3)),
    layer(lambda: LayerScale(1e-6, 4), N(3, 4), "small"),
    layer(lambda: CustomScaleLayer(0.2), [N(2, 3, 3, 2), N(2, 3, 3, 2)]),
)
