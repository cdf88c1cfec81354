"""Variables of a framework as variables of ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from polykeras.backend import registry
from polykeras.backend.native_location import Adoption, in_turn
from polykeras.backend.scopes import current_scope, is_functional
from polykeras.variables.variable import Variable


def kinds() -> tuple[type, ...]:
    """Return the classes of what is, or holds, variables: ours, and those of the frameworks that were loaded."""
    return (Variable, *(kind for adoption in _adoptions() for kind in adoption.kinds))


def _adoptions() -> list[Adoption]:
    found = (backend.native.adoption for backend in registry.loaded_backends())
    return [adoption for adoption in found if adoption is not None]


def variables_in(part: Any, owner: str) -> Iterator[Variable]:
    """Return the variables in an object of one of the `kinds`.

    Args:
        part: a variable, of ours or of a framework, or an object of a framework that holds some.
        owner: the name of the layer whose attribute it is.
    """
    if isinstance(part, Variable):
        yield part
        return
    for adoption in _adoptions():
        if isinstance(part, adoption.kinds):
            for stored in adoption.parts(part):
                with in_turn():  # two threads that look first at once get one variable
                    known = adoption.known(stored)
                    known = _adopt(adoption, stored, owner) if known is None else known
                yield known


def _adopt(adoption: Adoption, stored: Any, owner: str) -> Variable:
    """Return a variable whose value a framework's variable stores, and goes on storing."""
    name, shape, dtype, trainable = adoption.describe(stored)
    variable = Variable(adoption.native.to_numpy(stored), shape, dtype, trainable, autocast=False, name=name)
    variable.path = f"{owner}/{name}"
    variable._location = (adoption.native, stored)
    adoption.bind(stored, variable, _scope_value, is_functional)
    return variable


def _scope_value(variable: Variable) -> Any:
    scope = current_scope.get()
    return None if scope is None else scope.held(variable)
