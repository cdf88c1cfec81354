"""Variables of a framework (`tf.Variable`) as variables of ours."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Any

from polykeras.backend import registry, value_lock
from polykeras.backend.native import VariableAdapter
from polykeras.backend.scopes import current_scope, is_functional
from polykeras.variables.variable import Variable


def variable_types() -> tuple[type, ...]:
    """Return the classes of what is, or holds, variables: ours, and those of the frameworks that were loaded."""
    return (Variable, *(cls for adapter in _adapters() for cls in adapter.types))


def _adapters() -> list[VariableAdapter]:
    found = (backend.native.variable_adapter for backend in registry.loaded_backends())
    return [adapter for adapter in found if adapter is not None]


def variables_in(part: Any, owner: str) -> Iterator[Variable]:
    """Yield the variables in an object of one of the `variable_types`.

    Args:
        part: a variable, of ours or of a framework, or an object of a framework that holds some.
        owner: the name of the layer whose attribute it is.
    """
    if isinstance(part, Variable):
        yield part
        return
    for adapter in _adapters():
        if isinstance(part, adapter.types):
            for stored in adapter.get_variables(part):
                with value_lock.lock:  # two threads that ask first at once get one variable
                    bound = adapter.find_bound(stored)
                    bound = _adapt(adapter, stored, owner) if bound is None else bound
                yield bound


def _adapt(adapter: VariableAdapter, stored: Any, owner: str) -> Variable:
    """Return a variable of ours whose value a framework's variable stores, and goes on storing."""
    name, shape, dtype, trainable = adapter.describe(stored)
    variable = Variable(adapter.location.to_numpy(stored), shape, dtype, trainable, autocast=False, name=name)
    variable.path = f"{owner}/{name}"
    variable.number = inf  # whenever it was met first, it stands after the variables of ours
    variable.store_in(adapter.location, stored)
    adapter.bind(stored, variable, _value_in_scope, is_functional)
    return variable


def _value_in_scope(variable: Variable) -> Any:
    scope = current_scope.get()
    return None if scope is None else scope.find_value(variable)
