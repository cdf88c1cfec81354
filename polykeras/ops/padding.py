"""Padding in all its modes."""

from polykeras.backend import Backend
from polykeras.backend.door import bind

__all__ = [
    "pad",
]

pad = bind(Backend.pad)
