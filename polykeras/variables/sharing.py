"""Who else may hold the array of a variable."""

from __future__ import annotations

from enum import IntEnum


class Sharing(IntEnum):
    """Who else may hold the array of a variable, and so what may be done with its memory.

    Attributes:
        OWNED: nobody: the memory may be donated.
        SHARED: code that read the variable: the memory is not donated. Native code may change it in place.
        FROZEN: code that relies on the numbers: nothing changes them in place either.
    """

    OWNED = 0
    SHARED = 1
    FROZEN = 2


OWNED, SHARED, FROZEN = Sharing  # names of the module, since they are set with each result of a step
