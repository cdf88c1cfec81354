"""Spellings of Keras 1 and 2, and what Keras 3 keeps under this name (`legacy.saving`).

Other code knows this package by lists of names alone, so it is loaded when one of them is used.
"""

from polykeras.legacy import saving

__all__ = ["saving"]
