"""The user's own classes and functions, by the names that configs use for them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Self, TypeVar

C = TypeVar("C")

_own: dict[str, Any] = {}
_scoped: ContextVar[Mapping[str, Any]] = ContextVar("polykeras_custom_objects", default=MappingProxyType({}))


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[C], C]:
    """Return a decorator that registers a class or function, which configs then name as `package>name`.

    Args:
        package: a prefix that keeps the names of two libraries apart.
        name: by default the object's own name.
    """

    def decorate(obj: C) -> C:
        registered = f"{package}>{name or obj.__name__}"  # type: ignore[attr-defined]
        if inspect.isclass(obj) and not hasattr(obj, "get_config"):
            raise ValueError(f"Cannot register {obj!r}: a class needs a `get_config` method.")
        _own[registered] = obj
        return obj

    return decorate


class CustomObjectScope:
    """A context within which configs and identifiers may also name the user's objects.

    Args:
        custom_objects: classes and functions by name.
    """

    def __init__(self, custom_objects: Mapping[str, Any]) -> None:
        self.custom_objects = custom_objects or {}
        self._tokens: list[Any] = []

    def __enter__(self) -> Self:
        self._tokens.append(_scoped.set({**_scoped.get(), **self.custom_objects}))
        return self

    def __exit__(self, *exc_info: object) -> None:
        _scoped.reset(self._tokens.pop())


custom_object_scope = CustomObjectScope


def get_custom_objects() -> dict[str, Any]:
    """Return the user's objects that all configs may name, by name. Objects that you add to the dict count too."""
    return _own


def find_custom(name: str) -> Any:
    """Return the user's object of that name, registered or not, or None."""
    found = find_exactly(name)
    if found is not None:
        return found
    return next((obj for key, obj in _own.items() if key.rpartition(">")[2] == name), None)


def find_exactly(name: str) -> Any:
    """Return the object that the user passed or registered under exactly that name, or None."""
    scoped = _scoped.get()
    return scoped[name] if name in scoped else _own.get(name)


def get_registered_object(
    name: str, custom_objects: Mapping[str, Any] | None = None, module_objects: Mapping[str, Any] | None = None
) -> Any:
    """Return the user's object of a name, or None.

    It may be registered, or be in `custom_objects` or `module_objects`.

    Args:
        name: the registered name, `package>name`, or the name without its package.
        custom_objects: objects by name, searched after the registered ones.
        module_objects: objects by name, searched last.
    """
    found = find_custom(name)
    for objects in (custom_objects, module_objects):
        found = (objects or {}).get(name) if found is None else found
    return found


def get_registered_name(obj: Any) -> str:
    """Return the name under which a user's object was registered, or its own name."""
    return next((key for key, known in _own.items() if known is obj), obj.__name__)
