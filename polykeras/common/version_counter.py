"""Counts the changes that invalidate results found in layers: other parts, or other trainable variables."""

from __future__ import annotations

import itertools
import time

_numbers = itertools.count(time.time_ns())  # greater than what a process that has ended wrote into pickled layers
_last_of_parts = 0
_last_of_all = 0


def bump() -> int:
    """Record that some object has got other parts, or that the set of trainable variables has changed.

    Returns:
        The new version, greater than all before.
    """
    global _last_of_parts, _last_of_all
    _last_of_parts = _last_of_all = number = next(_numbers)
    return number


def bump_settings() -> None:
    """Record that an attribute has changed that a compiled step may have read."""
    global _last_of_all
    _last_of_all = next(_numbers)


def version_with_settings() -> int:
    """Return a number that differs after each change of either kind."""
    return _last_of_all


def version() -> int:
    """Return a number that differs after each change of any object.

    A change of a list or dict in place is noticed only if its new items were created for it: creating a layer counts.
    """
    return _last_of_parts
