"""Properties that give way to attributes of their names."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class default_property(Generic[T]):
    """A property whose name users' classes may use for an attribute of their own, which then stands in its place.

    Args:
        compute: the method that computes it.

    Example:
        >>> class Model:
        ...     @default_property
        ...     def loss(self): return "computed"
        >>> model = Model()
        >>> model.loss
        'computed'
        >>> model.loss = "set"
        >>> model.loss
        'set'
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        update_wrapper(self, compute)  # type: ignore[arg-type]

    def __get__(self, owner: Any, kind: type | None = None) -> T:
        return self if owner is None else self._compute(owner)  # type: ignore[return-value]
