"""A value that a module needs and a higher module supplies: an upward call, declared on both sides.

Below, the need is a value of the module:

    record_op: Supplied[Callable[..., Any]] = Supplied("record_op", by="polykeras.graph.operation")
    ...
    record_op.get()(name, args, kwargs)

Above, the module named there supplies it when it is loaded:

    @record_op.supply
    def _record_op(name, args, kwargs): ...

There are few of these; `tests/pure/test_imports.py` lists them.
"""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")
S = TypeVar("S")


class Supplied(Generic[T]):
    """A function or a class that a module built on this one supplies, once.

    Args:
        name: the name of the value, for messages.
        by: the module that supplies it.
    """

    __slots__ = ("_found", "_name", "by")

    def __init__(self, name: str, by: str) -> None:
        self._name = name
        self.by = by
        self._found: T | None = None

    def supply(self, found: S) -> S:
        """Supply the value; used as a decorator of the function or class.

        Raises:
            RuntimeError: if another module supplies it.
        """
        if found.__module__ != self.by:
            raise RuntimeError(f"{self._name} is supplied by {self.by}; received one of {found.__module__}.")
        self._found = found  # type: ignore[assignment]
        return found

    def get(self) -> T:
        """Return the supplied value.

        Raises:
            RuntimeError: if nothing was supplied, because the module is not loaded.
        """
        if self._found is None:
            raise RuntimeError(f"{self._name} is supplied by {self.by}, which `import polykeras` loads.")
        return self._found
