"""Finds what an object holds: variables, layers and seed generators, in the order in which it got them."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Any, TypeVar

from polykeras.common.checkpointable import contained
from polykeras.common.reads import PLAIN
from polykeras.variables.state import unique

T = TypeVar("T")

CONTAINERS = (list, tuple, dict, set)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, CONTAINERS):
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

    They come in the order in which `obj` got them, as in Keras. When a list or dict got one is not known: a layer that
    is younger than its list counts from when it was made, an older or copied one from when the list came. A list that
    is reversed later gives its parts in the new order; Keras keeps the first one. The attributes are searched at each
    call, so later changes to a list count.

    Args:
        obj: an object with a `__dict__`.
        kinds: the classes to look for.
    """
    hidden = getattr(obj, "_untracked", ())
    set_at = vars(obj).get("_set_at", {})
    candidates = (*CONTAINERS, kinds)
    found: list[tuple[int, Any]] = []
    for name, value in list(vars(obj).items()):
        if type(value) in PLAIN or name in hidden or not isinstance(value, candidates):
            continue
        when = set_at.get(name, 0)
        inside = when and isinstance(value, CONTAINERS)
        parts = (leaf for leaf in _leaves(value) if isinstance(leaf, kinds))
        found += ((max(when, getattr(leaf, "_made_at", 0)) if inside else when, leaf) for leaf in parts)
    found.sort(key=itemgetter(0))
    yield from unique(leaf for _, leaf in found)
