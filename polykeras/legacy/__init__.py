"""Spellings of Keras 1 and 2, and what Keras 3 keeps under this name (`legacy.saving`).

The rest of polykeras refers to this package only by lists of names, so it is loaded when one of them is used.
"""

from polykeras.legacy import saving

__all__ = ["saving"]
