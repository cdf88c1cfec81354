"""Layers around layers."""

from polykeras.layers.wrappers.wrappers import Bidirectional, TimeDistributed, Wrapper

__all__ = [
    "Bidirectional",
    "TimeDistributed",
    "Wrapper",
]
