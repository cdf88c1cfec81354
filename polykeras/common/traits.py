"""What classes and functions state of themselves, and what users' classes override."""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import Any

from polykeras.common.naming import is_ours


def trait(part: Any, name: str) -> Any:
    """Return what a class or a function states of itself; False where it states nothing.

    A user's class inherits no trait, since what it overrides may do anything. It states its traits as class attributes,
    and a user's function as attributes. Classes of polykeras inherit traits, and its functions have those that they do
    not deny.

    Args:
        part: the class or function; anything else has no traits.
        name: the trait, for instance `"sample_by_sample"`.
    """
    if not isinstance(part, (type, FunctionType)):
        return False
    return getattr(part, name, True) if name in vars(part) or is_ours(part) else False


def overrides(owner: Any, *names: str) -> bool:
    """Return whether a user wrote a method or property of an object: in its class, or on the object itself.

    Args:
        owner: a model, a metric or another object of polykeras's classes or of subclasses of them.
        *names: of the methods and properties; one that the user wrote is enough.
    """
    found = [inspect.getattr_static(owner, name) for name in names]
    parts = [part.fget if isinstance(part, property) else part for part in found]
    return not all(hasattr(part, "__module__") and is_ours(part) for part in parts)
