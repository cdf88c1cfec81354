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
    layer(lambda: L.Attention(), [N(2, 3, 4), N(2, 5, 4)], **SUMS),
    layer(
        lambda: L.Attention(use_scale=True),
        [N(2, 3, 4), N(2, 4, 2), N(2, 4, 4)],
        "masks",
        mask=[MASK[:, 1:], MASK],
        return_attention_scores=True,
        **SUMS,
    ),
    layer(lambda: L.Attention(score_mode="concat"), [N(2, 4, 3), N(2, 4, 3)], "causal", use_causal_mask=True, **SUMS),
    layer(lambda: L.Attention(True, "concat", 0.4, 3), [N(2, 4, 3), N(2, 2, 3)], "dropout", training=True, **SUMS),
    layer(lambda: L.AdditiveAttention(), [N(2, 3, 4), N(2, 5, 4)], **SUMS),
    layer(
        lambda: L.AdditiveAttention(use_scale=False),
        [N(2, 4, 3), N(2, 4, 2), N(2, 4, 3)],
        "mask",
        mask=[None, MASK],
        use_causal_mask=True,
        **SUMS,
    ),
    layer(lambda: L.GroupQueryAttention(3, 4, 2), (N(2, 3, 4), N(2, 5, 4)), **SUMS),
    layer(
        lambda: L.GroupQueryAttention(2, 3, 1, use_gate=True, use_bias=False),
        (N(2, 3, 4), N(2, 4, 4), N(2, 4, 4)),
        "mask",
        value_mask=MASK,
        return_attention_scores=True,
        **SUMS,
    ),
    layer(
        lambda: L.GroupQueryAttention(2, 2, 2, sliding_window=2),
        (N(2, 4, 4), N(2, 4, 4)),
        "causal",
        use_causal_mask=True,
        **SUMS,
    ),
    layer(lambda: L.GroupQueryAttention(2, 2, 1, 0.3), (N(2, 3, 4), N(2, 3, 4)), "dropout", training=True, **SUMS),
)
