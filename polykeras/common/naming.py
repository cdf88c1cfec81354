"""Names: snake case, unique names of layers, suggestions for misspelt names, and who defined an object."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Any

_counts: Counter[str] = Counter()
_uids: Counter[str] = Counter()


@cache
def to_snake_case(name: str) -> str:
    """Return a class's name in snake case, such as `"layer_normalization"` for `"LayerNormalization"`."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def object_name(obj: Any) -> str:
    """Return the name of an object: its `name`, or that of a function or of its class in snake case."""
    name = getattr(obj, "name", None)
    return name if isinstance(name, str) else to_snake_case(getattr(obj, "__name__", type(obj).__name__))


def unique_name(prefix: str) -> str:
    """Return `prefix`, or `prefix_1`, `prefix_2`, ... if it was given out before in this process."""
    number = _counts[prefix]
    _counts[prefix] += 1
    return f"{prefix}_{number}" if number else prefix


def reset_names() -> None:
    """Restart the numbering of names, as in a new process."""
    _counts.clear()
    _uids.clear()


def clear_session(free_memory: bool = True) -> None:
    """Restart the numbering of names, as in a new process.

    Args:
        free_memory: accepted as in Keras, without effect; unreferenced objects are freed in any case.
    """
    reset_names()


def get_uid(prefix: str = "") -> int:
    """Return how often a number was asked for with this prefix: 1, 2, ... until `clear_session`."""
    _uids[prefix] += 1
    return _uids[prefix]


def with_article(noun: str) -> str:
    """Return `"an initializer"` for `"initializer"`, `"a loss"` for `"loss"`."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `" Did you mean 'adam'?"` for a name near a known one, else `""`."""
    folded = {other.lower(): other for other in known}
    near = difflib.get_close_matches(str(name)[:100].lower(), folded, n=1, cutoff=0.6)
    return f" Did you mean {folded[near[0]]!r}?" if near else ""


def is_ours(part: Any) -> bool:
    """Return whether a function, method or class is defined in polykeras, not by a user."""
    return (part.__module__ or "").partition(".")[0] == "polykeras"  # None: a function that a file described
