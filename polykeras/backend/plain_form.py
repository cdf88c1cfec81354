"""The plain form of a backend: its fast paths are checked against it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras import fast
from polykeras.backend.execution_policy import ExecutionPolicy
from polykeras.common import nested


def plain_form(backend: Any, contract: type) -> Any:
    """Return a backend for the same arrays that uses only the contract's composites and compiles nothing.

    Args:
        backend: an instance of a class under `contract`.
        contract: the base class, as for `fast.without_overrides`.
    """
    twin = object.__new__(type(backend))  # `copy` returns the backend itself
    vars(twin).update(vars(backend))
    made = fast.without_overrides(twin, contract)
    made.__class__ = type(type(backend).__name__, (type(made),), {"compile": _as_it_is, "execution": ExecutionPolicy()})
    return made


def _as_it_is(self: Any, fn: Callable[..., Any], donate_first: bool = False) -> Callable[..., Any]:
    """Replace `compile`: return a function that calls `fn` on arrays of the backend."""

    def own(x: Any) -> Any:
        return self.asarray(x) if hasattr(x, "dtype") else x

    return lambda *args, **kwargs: fn(*nested.map_structure(own, args), **nested.map_structure(own, kwargs))
