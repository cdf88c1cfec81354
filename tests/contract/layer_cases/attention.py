"""Cases of layers: attention."""

from __future__ import annotations

from contract.layer_cases.case import MASK, SUMS, layer
from contract.table import N
from helpers.layer_runner import LayerCase
from polykeras import layers as L

CASES: tuple[LayerCase, ...] = (
    layer(lambda: L.MultiHeadAttention(2, 3), (N(2, 3, 4), N(2, 5, 4)), **SUMS),
    layer(
        lambda: L.MultiHeadAttention(2, 3, value_dim=2, output_shape=5),
        (N(2, 3, 4), N(2, 4, 2), N(2, 4, 3)),
        "key mask",
        value_mask=MASK,
        return_attention_scores=True,
        **SUMS,
    ),
    layer(
        lambda: L.MultiHeadAttention(2, 3, use_bias=False, sliding_window=2, use_gate=True),
        (N(2, 4, 4), N(2, 4, 4)),
        "causal",
        use_causal_mask=True,
        **SUMS,
    ),
    layer(lambda: L.MultiHeadAttention(2, 3, dropout=0.3), (N(2, 3, 4), N(2, 5, 4)), "dropout", training=True, **SUMS),
    layer(lambda: L.MultiHeadAttention(2, 3, attention_axes=2), (N(2, 2, 3, 4), N(2, 2, 5, 4)), "axis", **SUMS),
    layer(lambda: L.MultiHeadAttention(2, 3), (N(2, 2, 3, 4), N(2, 2, 2, 4)), "two axes", **SUMS),
)
