"""Backends without fast paths: without the kernels that a user takes away, and the plain form, to check against."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from functools import cache
from typing import Any

from polykeras import fast
from polykeras.backend.base import Backend
from polykeras.backend.execution_policy import ExecutionPolicy
from polykeras.common import nested


def plain_form(backend: Backend) -> Backend:
    """Return a backend for the same arrays that uses only the contract's composites and compiles nothing."""
    return _changed(
        backend, {**_composites_of(backend, composites()), "compile": _as_it_is, "execution": ExecutionPolicy()}
    )


def as_switched(backend: Backend, paths: Collection[str]) -> Backend:
    """Return a backend without the kernels that the environment takes away.

    Args:
        backend: as its provider loads it.
        paths: the names of the backends' fast paths, which the environment may name too.

    Raises:
        ValueError: the environment names a path or a composite that does not exist.
    """
    away = fast.taken_away()
    if away is None or "kernels" in away:
        return _changed(backend, _composites_of(backend, composites()))
    known = fast.PATHS.keys() | paths
    if unknown := sorted(away - known - composites()):
        raise ValueError(
            f"POLYKERAS_FAST takes away {', '.join(unknown)}: expected fast paths ({', '.join(sorted(known))}), or "
            "composites of the contract."
        )
    return _changed(backend, _composites_of(backend, away - known)) if away - known else backend


@cache
def composites() -> frozenset[str]:
    """Return the names of the public ops of the contract that are not abstract."""
    ops = {name: getattr(Backend, name) for name in dir(Backend) if hasattr(getattr(Backend, name), "__op__")}
    return frozenset(name for name, method in ops.items() if not getattr(method, "__isabstractmethod__", False))


def _composites_of(backend: Backend, names: Collection[str]) -> dict[str, Any]:
    """Return the contract's own methods of these names, where a kernel overrides them."""
    given = type(backend)
    return {
        name: getattr(Backend, name)
        for name in names
        if inspect.unwrap(getattr(given, name)) is not inspect.unwrap(getattr(Backend, name))
    }


def _changed(backend: Backend, members: dict[str, Any]) -> Backend:
    """Return a backend like another one, whose class has other members.

    The members go into a class of their own, since `super()` in the methods that stay, and their calls of each other,
    must find them as in any subclass.
    """
    given = type(backend)
    twin = object.__new__(type(given.__name__, (given,), members))  # `copy` returns the backend itself
    vars(twin).update(vars(backend))
    return twin


def _as_it_is(
    self: Any, fn: Callable[..., Any], donate_first: bool = False, collective: bool = False
) -> Callable[..., Any]:
    """Replace `compile`: return a function that calls `fn` on arrays of the backend."""

    def own(x: Any) -> Any:
        return self.asarray(x) if hasattr(x, "dtype") else x

    return lambda *args, **kwargs: fn(*nested.map_structure(own, args), **nested.map_structure(own, kwargs))
