"""Attention."""

from polykeras.layers.attention.attention import AdditiveAttention, Attention
from polykeras.layers.attention.group_query import GroupedQueryAttention, GroupQueryAttention
from polykeras.layers.attention.multi_head import MultiHeadAttention

__all__ = [
    "AdditiveAttention",
    "Attention",
    "GroupQueryAttention",
    "GroupedQueryAttention",
    "MultiHeadAttention",
]
