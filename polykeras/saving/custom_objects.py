"""The user's own classes and functions, by the names under which configs may hold them."""

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
    """Return a decorator that lets configs name a class or function of yours as `package>name`.

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
    """Return the user's objects that configs may name anywhere, by name; what is added to it counts too."""
    return _own


def find_custom(name: str) -> Any:
    """Return the user's object of that (registered) name, or None."""
    found = find_exactly(name)
    if found is not None:
        return found
    return next((obj for key, obj in _own.items() if key.rpartition(">")[2] == name), None)


def find_exactly(name: str) -> Any:
    """Return what the user passed, or registered, under that very name, or None."""
    scoped = _scoped.get()
    return scoped[name] if name in scoped else _own.get(name)


def get_registered_object(
    name: str, custom_objects: Mapping[str, Any] | None = None, module_objects: Mapping[str, Any] | None = None
) -> Any:
    """Return the user's object of a name: registered, in `custom_objects` or in `module_objects`; or None.

    Args:
        name: as it was registered, `package>name`, or without its package.
        custom_objects: objects by name, after those that are registered.
        module_objects: objects by name, after all others.
    """
    found = find_custom(name)
    for objects in (custom_objects, module_objects):
        found = (objects or {}).get(name) if found is None else found
    return found


def get_registered_name(obj: Any) -> str:
    """Return the name under which a user's object was registered, else its own."""
    return next((key for key, known in _own.items() if known is obj), obj.__name__)
