"""Checks of arguments that many classes take."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np


def _is_int(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def positive_int(value: Any, name: str, owner: Any = None) -> int:
    """Return `value` if it is a positive int.

    Args:
        value: what the user passed.
        name: of the argument.
        owner: the object whose argument it is, for the message.

    Raises:
        ValueError: it is anything else.
    """
    if not _is_int(value) or value <= 0:
        where = f"{type(owner).__name__}: " if owner is not None else ""
        raise ValueError(f"{where}`{name}` must be a positive int; received {value!r} ({type(value).__name__}).")
    return int(value)


def int_tuple(value: Any, n: int, name: str, owner: Any = None, minimum: int = 1) -> tuple[int, ...]:
    """Return an int for each of `n` axes, from one int for all or a sequence.

    Raises:
        ValueError: another number of them, or one that is no int of at least `minimum`.
    """
    values = (value,) * n if _is_int(value) else value
    good = isinstance(values, (list, tuple)) and len(values) == n
    if not good or not all(_is_int(v) and v >= minimum for v in values):
        where = f"{type(owner).__name__}: " if owner is not None else ""
        raise ValueError(f"{where}`{name}` must be an int or {n} ints, each at least {minimum}; received {value!r}.")
    return tuple(int(v) for v in values)


def shape_tuple(shape: int | Iterable[int]) -> tuple[int, ...]:
    """Return the sizes of a shape; an int is the size of its only axis, as in NumPy.

    What stands for an int, such as an element of a framework's shape, gives it.
    """
    sizes = shape if isinstance(shape, Iterable) else (shape,)
    return tuple([n if type(n) is int or not hasattr(type(n), "__index__") else n.__index__() for n in sizes])


def rate(value: Any, name: str, owner: Any = None) -> float:
    """Return `value` if it is a share in [0, 1], as the rate of a dropout.

    Raises:
        ValueError: it is anything else.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 <= value <= 1:
        where = f"{type(owner).__name__}: " if owner is not None else ""
        raise ValueError(f"{where}`{name}` must be a number between 0 and 1; received {value!r}.")
    return float(value)
