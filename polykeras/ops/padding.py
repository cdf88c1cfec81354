"""Padding in all its modes."""

from polykeras.backend import Backend
from polykeras.backend.dispatch import bind

__all__ = [
    "pad",
]

pad = bind(Backend.pad)
