"""Creation and properties of arrays."""

from polykeras.backend import Backend
from polykeras.backend.dispatch import bind

__all__ = [
    "arange",
    "full",
    "ndim",
    "ones",
    "ones_like",
    "size",
    "zeros",
    "zeros_like",
]

ndim = bind(Backend.ndim)
size = bind(Backend.size)
full = bind(Backend.full)
arange = bind(Backend.arange)
zeros = bind(Backend.zeros)
ones = bind(Backend.ones)
zeros_like = bind(Backend.zeros_like)
ones_like = bind(Backend.ones_like)
