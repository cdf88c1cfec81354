"""What dispatch does for the other ops, for those that take functions or trees and are written by hand."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from polykeras.backend import registry
from polykeras.backend.dispatch import convert, find_symbolic
from polykeras.common import nested

__all__: list[str] = []  # the public names of a family of ops; there are none here

P = ParamSpec("P")
R = TypeVar("R")


def as_arrays(structure: Any) -> Any:
    """Return a tree with its leaves (variables, numbers, lists of a framework's arrays) as arrays."""
    backend = registry.current()
    return nested.map_structure(lambda leaf: convert(backend, leaf), structure)


def returning_arrays(fn: Callable[P, Any]) -> Callable[P, Any]:
    """Return `fn`, with the variables among its results read."""
    return lambda *args, **kwargs: as_arrays(fn(*args, **kwargs))


def gives_way(function: Callable[P, R], made_of: Callable[..., Any] | None = None) -> Callable[P, R]:
    """Return an op written by hand that hands the call over to a symbolic argument, where there is one.

    Args:
        function: the op, which a graph knows by its name.
        made_of: the user's function, where `function` is made of one, as by `remat`: then it has no name.
    """

    @functools.wraps(made_of or function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        symbolic = find_symbolic((*args, *kwargs.values()))
        return function(*args, **kwargs) if symbolic is None else symbolic.apply_op(wrapper, args, kwargs)

    wrapper.__op_name__ = None if made_of else function.__name__  # type: ignore[attr-defined]
    return wrapper  # type: ignore[return-value]
