"""Uses of sorted order: largest elements, membership, unique values."""

from polykeras.backend import Backend
from polykeras.backend.dispatch import bind

__all__ = [
    "argpartition",
    "isin",
    "top_k",
    "unique",
]

argpartition = bind(Backend.argpartition)
top_k = bind(Backend.top_k)
isin = bind(Backend.isin)
unique = bind(Backend.unique)
