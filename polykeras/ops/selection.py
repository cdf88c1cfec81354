"""Selection by a condition, with a second form that returns indices."""

from __future__ import annotations

from typing import Any

from polykeras.backend import Backend
from polykeras.backend.dispatch import bind
from polykeras.common.types import ArrayLike
from polykeras.ops.indexing import nonzero

__all__ = ["where"]

_where = bind(Backend.where)


def where(condition: ArrayLike, x1: ArrayLike | None = None, x2: ArrayLike | None = None) -> Any:
    """Return `x1` where `condition` holds, else `x2`; without them, the indices of true elements, like `nonzero`.

    Args:
        condition: bools (numbers count as `x != 0`).
        x1: an array or a number.
        x2: an array or a number; all three broadcast.

    Raises:
        ValueError: if only one of `x1` and `x2` is given.
    """
    if (x1 is None) != (x2 is None):
        raise ValueError("where: expected both x1 and x2, or neither; received one of them.")
    return nonzero(condition) if x1 is None else _where(condition, x1, x2)
