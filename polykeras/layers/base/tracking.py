"""Finds what an object holds: variables, layers and seed generators, in the order of its attributes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from polykeras.common.checkpointable import contained
from polykeras.common.reads import PLAIN

T = TypeVar("T")

_CONTAINERS = (list, tuple, dict, set)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, _CONTAINERS):
        for part in contained(value):
            yield from _leaves(part)
    elif value is not None:
        yield value


class Tracker:
    """Keras's `layer._tracker`, by which libraries track values that they add later. Here nothing needs it."""

    @staticmethod
    def track(value: T) -> T:
        """Return the value."""
        return value


def tracked(obj: Any, kinds: type | tuple[type, ...]) -> Iterator[Any]:
    """Yield the objects of the given classes among the attributes of `obj`, including lists, tuples, dicts and sets.

    The attributes are searched at each call, so later changes to a list count.

    Args:
        obj: an object with a `__dict__`.
        kinds: the classes to look for.
    """
    seen: set[int] = set()
    hidden = getattr(obj, "_untracked", ())
    candidates = (*_CONTAINERS, kinds)
    for name, value in list(vars(obj).items()):
        if type(value) in PLAIN or name in hidden:
            continue
        if isinstance(value, candidates):
            for leaf in _leaves(value):
                if isinstance(leaf, kinds) and id(leaf) not in seen:
                    seen.add(id(leaf))
                    yield leaf
