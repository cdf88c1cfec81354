"""Scopes, in which variables are read and written without changing the variables themselves."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from polykeras.backend import registry

if TYPE_CHECKING:
    from polykeras.backend import Backend
    from polykeras.variables.variable import Variable

current_scope: ContextVar[Scope | None] = ContextVar("polykeras_scope", default=None)
current_autocast: ContextVar[str | None] = ContextVar("polykeras_autocast", default=None)


class Scope:
    """A layer over variables. Inside of it, values are read from and written to the scope, not the variables.

    Args:
        variables: the variables that have a value here from the beginning.
        values: their values.
        closed: whether this is the scope of a whole pure function. It does not ask the scopes around it, and records
            other variables in `missing`.

    Attributes:
        values: the values of variables here, by the identity of the variable.
        written: the variables that were assigned here, by identity.
        missing: the variables that a closed scope was asked for and lacks, by identity.
    """

    __slots__ = ("_closed", "_parent", "_token", "_variables", "missing", "values", "written")

    def __init__(self, variables: Collection[Variable] = (), values: Iterable[Any] = (), closed: bool = False) -> None:
        self._variables = variables
        self.values = {id(variable): value for variable, value in zip(variables, values, strict=True)}
        self._closed = closed
        self._parent: Scope | None = None
        self._token: Any = None
        self.missing: dict[int, Variable] = {}
        self.written: dict[int, Variable] = {}

    def __enter__(self) -> Scope:
        self._parent = current_scope.get()
        self._token = current_scope.set(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        current_scope.reset(self._token)

    def read(self, variable: Variable) -> Any:
        """Return the variable's value as this scope sees it, on the current backend."""
        key = id(variable)
        if key in self.values:
            value, location = self.values[key], registry.current().native.location
            return value if location is None else location.read_in_scope(variable, value)
        if self._closed:
            self.missing[key] = variable
            return variable.stored_value(registry.current())
        if self._parent is not None:
            return self._parent.read(variable)
        return variable.shared_value(registry.current())

    def find_value(self, variable: Variable) -> Any:
        """Return the value that this scope, or one around it, has for the variable; None where none has one."""
        key = id(variable)
        if key in self.values:
            return self.values[key]
        if self._closed:
            self.missing[key] = variable
            return None
        return None if self._parent is None else self._parent.find_value(variable)

    def write(self, variable: Variable, value: Any) -> None:
        """Record a new value of the variable."""
        key = id(variable)
        if self._closed and key not in self.values:
            self.missing[key] = variable
        self.values[key] = value
        self.written[key] = variable

    def take_losses(self, terms: list[Any]) -> None:
        """Pass terms of `add_loss` on to the scope around this one."""
        if self._parent is not None:
            self._parent.take_losses(terms)

    def reload(self, backend: Backend) -> None:
        """Take the values that the variables themselves have, after code outside of the scope changed them."""
        for variable in self._variables:
            self.write(variable, variable.detached_value(backend))

    def updates(self) -> tuple[list[Variable], list[Any]]:
        """Return the variables written here, and their values."""
        return list(self.written.values()), [self.values[key] for key in self.written]


def is_functional() -> bool:
    """Return whether a scope is open: whether the running code is part of a pure function or a gradient."""
    return current_scope.get() is not None


def note_losses(terms: list[Any]) -> None:
    """Pass terms of `add_loss` to the scopes around."""
    scope = current_scope.get()
    if scope is not None:
        scope.take_losses(terms)


@contextmanager
def outside_scopes() -> Iterator[None]:
    """Read and write the variables themselves within this context, whatever scopes are open."""
    token = current_scope.set(None)
    try:
        yield
    finally:
        current_scope.reset(token)


@contextmanager
def autocast_scope(dtype: str | None) -> Iterator[None]:
    """Read variables that allow it in `dtype` within this context."""
    token = current_autocast.set(dtype)
    try:
        yield
    finally:
        current_autocast.reset(token)
