"""Attention."""

from polykeras.layers.attention.multi_head import MultiHeadAttention

__all__ = [
    "MultiHeadAttention",
]
