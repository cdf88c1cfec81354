"""Keras's place for what it keeps for old programs."""

from polykeras.legacy import saving

__all__ = ["saving"]
