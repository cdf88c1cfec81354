"""Lets torch's own functions take variables and other handles of arrays."""

from __future__ import annotations

from typing import Any

from polykeras.backend.handles import Handle
from polykeras.common import nested


def accept_handles() -> None:
    """Make torch's functions take handles for their values, by the protocol that torch has for foreign classes."""
    cls: Any = Handle
    cls.__torch_function__ = classmethod(_on_values)


def _on_values(cls: type, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    if getattr(func, "__name__", "") == "sub" and len(args) == 2 and not kwargs and isinstance(args[1], Handle):
        right: Any = args[1]
        return right.__rsub__(args[0])  # also of bools, which torch refuses
    return func(*nested.map_structure(_value_of, tuple(args)), **nested.map_structure(_value_of, kwargs or {}))


def _value_of(x: Any) -> Any:
    return x.value if isinstance(x, Handle) else x
