"""The plain form of a backend, beside which its fast paths stand: for code that is to be held against them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras import fast
from polykeras.backend.execution_policy import ExecutionPolicy
from polykeras.common import nested


def plain_form(backend: Any, contract: type) -> Any:
    """Return a backend for the arrays of another one that has the contract's composites alone and compiles nothing.

    Args:
        backend: an instance of a class under `contract`.
        contract: as for `fast.without_overrides`.
    """
    twin = object.__new__(type(backend))  # a copy of a backend is that backend
    vars(twin).update(vars(backend))
    made = fast.without_overrides(twin, contract)
    made.__class__ = type(type(backend).__name__, (type(made),), {"compile": _as_it_is, "execution": ExecutionPolicy()})
    return made


def _as_it_is(self: Any, fn: Callable[..., Any], donate_first: bool = False) -> Callable[..., Any]:
    """Stand in for `compile`: return what calls a function on arrays of the backend."""

    def own(x: Any) -> Any:
        return self.asarray(x) if hasattr(x, "dtype") else x

    return lambda *args, **kwargs: fn(*nested.map_structure(own, args), **nested.map_structure(own, kwargs))
