"""Cases of layers: merging."""

from __future__ import annotations

from contract.layer_cases.case import MASK, MERGERS, SUMS, layer
from contract.table import N
from helpers.layer_runner import LayerCase
from polykeras import layers as L

CASES: tuple[LayerCase, ...] = (
    *[layer(make, [N(2, 3), N(2, 3), N(2, 3)]) for make in MERGERS],
    *[layer(make, [N(2, 4, 3), N(2, 3)], "ranks") for make in MERGERS],
    *[layer(make, [N(2, 4, 3), N(2, 4, 3)], "mask", mask=[MASK, MASK[::-1]]) for make in MERGERS[2:]],
    layer(lambda: L.Subtract(), [N(2, 3), N(2, 1)]),
    layer(lambda: L.Concatenate(), [N(2, 3), N(2, 1), N(2, 2)]),
    layer(lambda: L.Concatenate(axis=1), [N(2, 3, 2), N(2, 1, 2)], "axis"),
    layer(lambda: L.Dot(axes=1, normalize=True), [N(2, 3), N(2, 3)], **SUMS),
    layer(lambda: L.Dot(axes=(2, 1)), [N(2, 3, 4), N(2, 4, 5)], "axes", **SUMS),
)
