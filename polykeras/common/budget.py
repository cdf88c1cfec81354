"""The budget for following a description from a file. It is counted while a file is read, and nowhere else.

A few bytes can ask for an enormous amount of work: a model that calls a model twice that calls a model twice, or an
area under a curve with a billion thresholds. Code whose work grows with a number from a file calls `spend`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

MAX_ELEMENTS = 2**36
"""The largest array that a description may lead to, in elements for each sample: 256 GB in float32."""

left: ContextVar[list[int] | None] = ContextVar("polykeras_budget", default=None)
"""The remaining steps, in a list of one number; None if nothing is counted."""


@contextmanager
def limited(steps: int) -> Iterator[None]:
    """Allow at most `steps` steps within this context. An outer limit stays in force instead, if there is one."""
    token = left.set([steps]) if left.get() is None else None
    try:
        yield
    finally:
        if token is not None:
            left.reset(token)


def spend(steps: int = 1) -> None:
    """Take `steps` steps: operations on shapes, or numbers that are made on the host.

    Raises:
        ValueError: if too few steps are left.
    """
    account = left.get()
    if account is None:
        return
    account[0] -= steps
    if account[0] < 0:
        raise ValueError("takes more steps to build than any model of this size should.")


def check_size(shape: Sequence[Any], unknown: type) -> None:
    """Take one step for making an array, and refuse an array that is too large.

    Args:
        shape: the sizes of the axes.
        unknown: the class that marks unknown sizes, which are not counted.

    Raises:
        ValueError: if it has more than `MAX_ELEMENTS` elements, or no steps are left.
    """
    spend()
    size = 1
    for n in shape:
        if n is not None and not isinstance(n, unknown):
            size *= n
    if size > MAX_ELEMENTS:
        raise ValueError(f"leads to an array of shape {tuple(shape)}, more than {MAX_ELEMENTS} elements.")
