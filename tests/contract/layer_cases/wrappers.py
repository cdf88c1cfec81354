"""Cases of layers: wrappers."""

from __future__ import annotations

from contract.layer_cases.case import SUMS, layer
from contract.table import I, N
from helpers.layer_runner import LayerCase
from polykeras import layers as L

CASES: tuple[LayerCase, ...] = (
    layer(lambda: L.SpectralNormalization(L.Dense(3)), N(2, 4), **SUMS),
    layer(lambda: L.SpectralNormalization(L.Dense(3), 3), N(2, 4), "training", training=True, **SUMS),
    layer(lambda: L.SpectralNormalization(L.Conv1D(2, 3), 2), N(2, 5, 3), "training", training=True, **SUMS),
    layer(lambda: L.SpectralNormalization(L.Embedding(5, 3)), I([[0, 4, 1]]), "table", training=True, **SUMS),
    layer(lambda: L.Pipeline([L.Rescaling(0.5), L.Dense(3), L.Dense(2)]), N(2, 4)),
    layer(lambda: L.Pipeline([L.Dropout(0.4), L.LSTM(2)]), N(2, 3, 4), "dropout", **SUMS),
)
