"""What it may cost to follow a description from a file: counted while one is read, and nowhere else.

A few bytes can ask for more work than anybody has time for: a model that calls a model twice that calls a model twice,
an area under a curve with a billion thresholds. What repeats itself by a number that a file may name says so here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

MAX_ELEMENTS = 2**36
"""The largest array that a description may lead to, a sample: 256 GB in float32."""

left: ContextVar[list[int] | None] = ContextVar("polykeras_budget", default=None)
"""The steps that are left, a list of one number; None where nothing is counted."""


@contextmanager
def limited(steps: int) -> Iterator[None]:
    """Within this context no more than so many steps may be taken; an outer limit goes on to hold."""
    token = left.set([steps]) if left.get() is None else None
    try:
        yield
    finally:
        if token is not None:
            left.reset(token)


def spend(steps: int = 1) -> None:
    """Take steps: operations on shapes, or numbers that are made on the host.

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
    """Take the step of making an array of shapes, and refuse one beyond measure.

    Args:
        shape: its sizes.
        unknown: the class of sizes that stand for unknown ones, which do not count.

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
