"""The work of dispatch for ops that are written by hand, because they take functions or trees."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from polykeras.backend import registry
from polykeras.backend.handles import Symbolic, convert, find_symbolic
from polykeras.common import nested

__all__: list[str] = []  # a family of ops lists its public names here; there are none

P = ParamSpec("P")
R = TypeVar("R")


def as_arrays(structure: Any) -> Any:
    """Return a tree whose leaves (variables, numbers, lists of a framework's arrays) are converted to arrays.

    Symbolic tensors stay: a function may have used those of a graph that is being made.
    """
    backend = registry.current()
    return nested.map_structure(lambda leaf: leaf if isinstance(leaf, Symbolic) else convert(backend, leaf), structure)


def returning_arrays(fn: Callable[P, Any]) -> Callable[P, Any]:
    """Return `fn`, with variables among its results replaced by their values."""
    return lambda *args, **kwargs: as_arrays(fn(*args, **kwargs))


def gives_way(function: Callable[P, R], made_of: Callable[..., Any] | None = None) -> Callable[P, R]:
    """Return an op written by hand that passes the call on to a symbolic argument, if there is one.

    Args:
        function: the op, which a graph knows by its name.
        made_of: the user's function, if `function` was made from one, as by `remat`; then the op has no name.
    """

    @functools.wraps(made_of or function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        symbolic = find_symbolic((*args, *kwargs.values()))
        return function(*args, **kwargs) if symbolic is None else symbolic.apply_op(wrapper, args, kwargs)

    wrapper.__op_name__ = None if made_of else function.__name__  # type: ignore[attr-defined]
    return wrapper  # type: ignore[return-value]
