"""What ops take in the place of arrays: handles, which have an array, and symbolic objects, which have only a shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from polykeras.backend.base import Backend


class Handle:
    """Base of objects that stand for an array of the current backend."""

    __slots__ = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _handles.append(cls)
        for tell in _to_tell:
            tell(cls)

    @property
    def value(self) -> Any:
        """The array."""
        raise NotImplementedError

    def __array_ufunc__(self, function: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """NumPy's operators, in-place ones too, are those of the handle; other functions of NumPy take its values."""
        operator = _OPERATORS.get(function.__name__) if method == "__call__" and options.keys() <= {"out"} else None
        if operator is None:
            values = [np.asarray(value) if isinstance(value, Handle) else value for value in inputs]
            return getattr(function, method)(*values, **options)
        first, second = inputs
        if isinstance(first, Handle):
            return getattr(first, f"__{operator}__")(second)
        return getattr(second, f"__{_REFLECTED.get(operator, f'r{operator}')}__")(first)


_OPERATORS = {
    "add": "add",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "truediv",
    "floor_divide": "floordiv",
    "remainder": "mod",
    "power": "pow",
    "matmul": "matmul",
    "bitwise_and": "and",
    "bitwise_or": "or",
    "bitwise_xor": "xor",
    "equal": "eq",
    "not_equal": "ne",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
}
"""Operators by the names of NumPy's functions."""
_REFLECTED = {"eq": "eq", "ne": "ne", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}
_handles: list[type[Handle]] = [Handle]
_to_tell: list[Callable[[type[Handle]], None]] = []


def for_each_handle(tell: Callable[[type[Handle]], None]) -> None:
    """Call a function with each class of handles, defined now or later."""
    _to_tell.append(tell)
    for kind in _handles:
        tell(kind)


class Symbolic:
    """Base of objects without values. An op that is called on one hands the call over to it."""

    def apply_op(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the result of the public op `function` with at least one symbolic argument."""
        raise NotImplementedError


def flat(value: Any) -> list[Any]:
    """Return what lists and tuples hold, and anything else alone."""
    if isinstance(value, (list, tuple)):
        return [leaf for part in value for leaf in flat(part)]
    return [value]


def find_symbolic(values: Any) -> Symbolic | None:
    """Return the first `Symbolic` in nested lists, tuples and dicts, or None."""
    for value in values:
        if isinstance(value, Symbolic):
            return value
        if isinstance(value, (list, tuple)):
            found = find_symbolic(value)
        elif isinstance(value, dict):
            found = find_symbolic(value.values())
        else:
            continue
        if found is not None:
            return found
    return None


def convert(backend: Backend, value: Any) -> Any:
    """Return `value` as an array of `backend`. A Handle gives its own array, a list is converted item by item."""
    if backend.is_tensor(value):
        return value
    if isinstance(value, Handle):
        return value.value
    if isinstance(value, (list, tuple)) and any(isinstance(part, Handle) for part in flat(value)):
        value = [convert(backend, part) for part in value]
    return backend.asarray(value)
