"""The values of many variables as the state of a pure function, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from polykeras.backend import Backend
from polykeras.backend.native import NativeLocation
from polykeras.backend.native.location import note_access
from polykeras.backend.scopes import current_scope
from polykeras.common import nested
from polykeras.variables.sharing import FROZEN, SHARED
from polykeras.variables.variable import Variable

T = TypeVar("T")


def unique(objects: Iterable[T]) -> list[T]:
    """Return objects without repetitions, in their order. Objects are compared by identity."""
    return list({id(each): each for each in objects}.values())


def by_dtype(variables: Iterable[Variable]) -> list[list[Variable]]:
    """Return the variables in groups of one dtype."""
    groups: dict[str, list[Variable]] = {}
    for variable in variables:
        groups.setdefault(variable.dtype, []).append(variable)
    return list(groups.values())


def kept_values(variables: Iterable[Variable]) -> list[tuple[Variable, Any]]:
    """Return what variables hold now, for `put_back`. Values that native code may change in place are copied."""
    kept = []
    for variable in unique(variables):
        variable._sharing = FROZEN
        location, value = variable._place_and_value
        if isinstance(location, NativeLocation):
            location, value = None, variable.numpy()
        elif variable.native_parameter is not None and location is not None:
            value = location.place(value)
        kept.append((variable, (location, value)))
    return kept


def put_back(kept: Iterable[tuple[Variable, Any]]) -> None:
    """Give variables back what `kept_values` found."""
    for variable, location in kept:
        variable._replace_value(*location, sharing=FROZEN)


def read_state(variables: Sequence[Variable], backend: Backend, shared: bool = False) -> list[Any]:
    """Return the variables' values on `backend`, in their own dtypes: the state of a pure function.

    Args:
        variables: any variables.
        backend: on which the values are wanted.
        shared: whether the caller may hold them longer than a call; then they may be parameters, whose gradients count.
    """
    scope = current_scope.get()
    if scope is not None:
        return [scope.read(variable) for variable in variables]
    if shared:
        return [variable.shared_value(backend) for variable in variables]
    note_access(backend, variables)
    return [variable.detached_value(backend) for variable in variables]


def _mark_shared(variables: Sequence[Variable], values: Sequence[Any], result: Any) -> None:
    """Mark the variables whose values are in a result, as they are.

    Args:
        variables: whose values a function got.
        values: the values, in the same order.
        result: a tree that the caller of the function gets.
    """
    out = set(map(id, nested.flatten(result)))
    if not out.isdisjoint(map(id, values)):  # seldom
        for variable, value in zip(variables, values, strict=True):
            if id(value) in out:
                variable._sharing = variable._sharing or SHARED


def write_state(variables: Sequence[Variable], values: Sequence[Any], backend: Backend) -> None:
    """Give the variables the state that a pure function returned.

    Args:
        variables: any variables.
        values: one for each, in the same order.
        backend: the values' one.

    Raises:
        TypeError: it ran as part of a function that the framework compiles by itself.
    """
    scope = current_scope.get()
    if scope is None and len(values) and backend.is_traced(values[0]):  # all of them, or none
        for variable in variables:
            if not isinstance(variable._place_and_value[0], NativeLocation):
                raise variable._traced_elsewhere(backend)
    for variable, value in zip(variables, values, strict=True):
        if scope is None:
            variable._store_result(backend, value)
        else:
            scope.write(variable, value)


def write_changes(
    variables: Sequence[Variable], given: Sequence[Any], changes: dict[int, Any], result: Any, backend: Backend
) -> None:
    """Give variables what a pure function with `changes_only` returned for them.

    Args:
        variables: the state of the function.
        given: the values that it got, which `result` may hand out as they are.
        changes: the new values by place.
        result: what the function returned beside them.
        backend: where it ran.
    """
    _mark_shared(variables, given, result)
    write_state([variables[i] for i in changes], list(changes.values()), backend)
