"""Code over variables as pure functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from polykeras.backend import Backend
from polykeras.backend.handles import Handle
from polykeras.backend.scopes import Scope
from polykeras.common import nested
from polykeras.variables.runs import NewVariables
from polykeras.variables.state import read_state, write_state
from polykeras.variables.variable import Variable


def value_of(leaf: Any) -> Any:
    """Return the value of a variable, and anything else as it is."""
    return leaf.value if isinstance(leaf, Handle) else leaf


def functionalize(
    fn: Callable[..., Any], variables: Sequence[Variable], changes_only: bool = False
) -> Callable[..., tuple[Any, Any]]:
    """Return code over variables as a pure function.

    Args:
        fn: any function that reads and assigns variables.
        variables: its state.
        changes_only: whether to return, instead of the whole new state, what was assigned: a dict by place.

    Returns:
        `pure(state, *args) -> (new_state, fn(*args))`, which takes a variable in the state for its value, and raises
        `NewVariables` at its end where `fn` used variables that are not in the state.
    """
    keys = [id(variable) for variable in variables]

    def pure(state: Sequence[Any], *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        values = [value_of(value) for value in state]  # a variable in the state stands for its value
        with Scope(variables, values, closed=True) as scope:
            # A variable in the result stands for its value, which exists in this scope only.
            result = nested.map_structure(value_of, fn(*args, **kwargs))
        if scope.missing:
            raise NewVariables(list(scope.missing.values()))
        if changes_only:
            return {i: scope.values[key] for i, key in enumerate(keys) if key in scope.written}, result
        return [scope.values[key] for key in keys], result

    return pure


def branch(
    backend: Backend, condition: Any, yes: Callable[[], None], no: Callable[[], None], variables: Sequence[Variable]
) -> None:
    """Run one of two functions that assign to variables, by a condition that may be traced.

    Args:
        backend: the current one.
        condition: a bool scalar.
        yes: runs where it is true.
        no: runs elsewhere.
        variables: what the functions may read and assign.
    """
    before = read_state(variables, backend)

    def outcome(fn: Callable[[], None]) -> list[Any]:
        with Scope(variables, before):
            fn()
            return read_state(variables, backend)

    after = backend.cond(condition, lambda: outcome(yes), lambda: outcome(no))
    write_state(variables, after, backend)
