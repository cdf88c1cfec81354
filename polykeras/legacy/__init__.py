"""Spellings of Keras 1 and 2. Nothing else knows this room but by lists of names, so it is loaded when one is used."""

from polykeras.legacy import saving

__all__ = ["saving"]
