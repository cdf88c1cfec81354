"""Objects to configs and back: the registries of what a config may name.

A config is plain data: `{"module", "class_name", "config", "registered_name"}`, as Keras 3 writes it. Only objects in
a registry, registered by the user, or passed as `custom_objects` can be named; nothing is imported by name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import numpy as np

from polykeras.naming import did_you_mean, to_snake_case, with_article

T = TypeVar("T")
C = TypeVar("C")

_registries: dict[str, Registry[Any]] = {}
_registered: dict[str, Any] = {}
_scoped: ContextVar[Mapping[str, Any]] = ContextVar("polykeras_custom_objects", default=MappingProxyType({}))


class Registry(Generic[T]):
    """The objects of one kind, by name.

    Args:
        kind: for messages, for instance `"loss"`.
        module: the public module as configs spell it, for instance `"keras.losses"`.
    """

    def __init__(self, kind: str, module: str) -> None:
        self.kind = kind
        self.module = module
        self._objects: dict[str, Any] = {}
        self._aliases: dict[str, str] = {}
        _registries[module] = self

    def register(self, *aliases: str) -> Callable[[C], C]:
        """Return a decorator that adds a class or function under its own name, its snake case and `aliases`."""

        def decorate(obj: C) -> C:
            name = obj.__name__  # type: ignore[attr-defined]
            self._objects[name] = obj
            for alias in (name, to_snake_case(name), name.lower(), *aliases):
                self._aliases.setdefault(alias, name)
            return obj

        return decorate

    def names(self) -> list[str]:
        """Return the names of all objects, without aliases."""
        return list(self._objects)

    def __contains__(self, obj: Any) -> bool:
        return any(known is obj for known in self._objects.values())

    def find(self, name: str) -> Any:
        """Return the class or function of that name.

        Raises:
            ValueError: there is none; the nearest name is suggested.
        """
        custom = find_custom(name)
        if custom is not None:
            return custom
        if name in self._aliases:
            return self._objects[self._aliases[name]]
        raise ValueError(
            f"Unknown {self.kind} {name!r}.{did_you_mean(name, self._aliases)} Known: "
            f"{', '.join(sorted(self._objects))}. Pass an object, or register your own with "
            "`polykeras.saving.register_keras_serializable`."
        )

    def get(self, identifier: Any) -> Any:
        """Return an object from what users may write for it.

        Args:
            identifier: None (stays None), a name, a config dict, a class (is called without arguments), or an
                instance or function (is returned).

        Raises:
            ValueError: an unknown name, or something else.
        """
        if identifier is None:
            return None
        if isinstance(identifier, str):
            found = self.find(identifier)
            return found() if inspect.isclass(found) else found
        if inspect.isclass(identifier):
            return identifier()
        if callable(identifier) or hasattr(identifier, "get_config"):
            return identifier
        if isinstance(identifier, Mapping):
            return self.deserialize(identifier)
        raise ValueError(
            f"Could not interpret {identifier!r} as {with_article(self.kind)}. Expected a name, a config dict, a "
            f"class, an instance or a function; received {type(identifier).__name__}."
        )

    def deserialize(self, config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """Return the object of a config: see `deserialize_keras_object`."""
        if isinstance(config, str):
            return self.get(config)
        return deserialize_keras_object(config, custom_objects, default=self)


# ---- the user's own objects ------------------------------------------------------------------------------------


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
        _registered[registered] = obj
        return obj

    return decorate


@contextmanager
def custom_object_scope(objects: Mapping[str, Any]) -> Iterator[None]:
    """Within this context, configs and identifiers may also name `objects`."""
    token = _scoped.set({**_scoped.get(), **objects})
    try:
        yield
    finally:
        _scoped.reset(token)


CustomObjectScope = custom_object_scope


def find_custom(name: str) -> Any:
    """Return the user's object of that (registered) name, or None."""
    scoped = _scoped.get()
    if name in scoped:
        return scoped[name]
    if name in _registered:
        return _registered[name]
    return next((obj for key, obj in _registered.items() if key.rpartition(">")[2] == name), None)


def get_registered_object(name: str) -> Any:
    """Return the user's object registered under `name`, or None."""
    return find_custom(name)


def get_registered_name(obj: Any) -> str:
    """Return the name under which a user's object was registered, else its own."""
    return next((key for key, known in _registered.items() if known is obj), obj.__name__)


# ---- to configs ------------------------------------------------------------------------------------------------


def _module_of(obj: Any) -> str | None:
    """The public module of a built-in class or function, or None for a user's."""
    return next((module for module, registry in _registries.items() if obj in registry), None)


def serialize_keras_object(obj: Any) -> Any:
    """Return plain data that describes `obj`.

    Args:
        obj: an object with `get_config`, a function, or plain data (which may hold such objects).

    Returns:
        JSON-like data, from which `deserialize_keras_object` makes an equal object.

    Raises:
        TypeError: something that cannot be described.
    """
    if obj is None or isinstance(obj, (bool, int, float, str)):
        return obj
    if isinstance(obj, (np.integer, np.floating, np.bool_)):
        return obj.item()
    if isinstance(obj, np.ndarray):
        return {"class_name": "__numpy__", "config": {"value": obj.tolist(), "dtype": obj.dtype.name}}
    if isinstance(obj, slice):
        return {"class_name": "__slice__", "config": {"start": obj.start, "stop": obj.stop, "step": obj.step}}
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(obj, (list, tuple)):
        return [serialize_keras_object(part) for part in obj]
    if isinstance(obj, dict):
        return {key: serialize_keras_object(value) for key, value in obj.items()}
    if hasattr(obj, "get_config"):
        module = _module_of(type(obj))
        return {
            "module": module or type(obj).__module__,
            "class_name": type(obj).__name__,
            "config": obj.get_config(),
            "registered_name": None if module else get_registered_name(type(obj)),
        }
    if callable(obj) and hasattr(obj, "__name__"):
        if _module_of(obj):
            return obj.__name__
        return {
            "module": getattr(obj, "__module__", "builtins"),
            "class_name": "function",
            "config": obj.__name__,
            "registered_name": get_registered_name(obj),
        }
    raise TypeError(
        f"Cannot describe {obj!r} ({type(obj).__name__}) in a config. Give its class a `get_config` method."
    )


# ---- and back --------------------------------------------------------------------------------------------------


def deserialize_keras_object(
    config: Any, custom_objects: Mapping[str, Any] | None = None, default: Registry[Any] | None = None
) -> Any:
    """Return the object that a config describes.

    Args:
        config: what `serialize_keras_object` gave, or plain data.
        custom_objects: further names it may use.
        default: the registry to search where the config names no module.

    Raises:
        ValueError: the config names something that is neither built in nor registered nor passed.
    """
    if custom_objects:
        with custom_object_scope(custom_objects):
            return deserialize_keras_object(config, default=default)
    if isinstance(config, (list, tuple)):
        return [deserialize_keras_object(part) for part in config]
    if not isinstance(config, Mapping):
        return config
    if "class_name" not in config or "config" not in config:
        return {key: deserialize_keras_object(value) for key, value in config.items()}
    name, inner = config["class_name"], config["config"]
    if name == "__numpy__":
        return np.array(inner["value"], dtype=inner["dtype"])
    if name == "__slice__":
        return slice(inner["start"], inner["stop"], inner["step"])
    if name == "__ellipsis__":
        return Ellipsis
    if name == "__tuple__":
        return tuple(deserialize_keras_object(part) for part in inner)
    if name == "function":
        return _find(inner, config, default)
    cls = _find(name, config, default)
    if not hasattr(cls, "from_config"):
        raise ValueError(f"{name!r} cannot be made from a config: it has no `from_config`.")
    return cls.from_config(inner)


def _find(name: str, config: Mapping[str, Any], default: Registry[Any] | None) -> Any:
    registered = config.get("registered_name")
    custom = find_custom(registered) if registered else None
    custom = custom if custom is not None else find_custom(name)
    if custom is not None:
        return custom
    module = str(config.get("module") or "")
    registry = _registries.get(module) or _registries.get(".".join(module.split(".")[:2])) or default
    if registry is not None:
        return registry.find(name)
    for candidate in _registries.values():
        if name in candidate.names():
            return candidate.find(name)
    raise ValueError(
        f"The config names {name!r} of module {module!r}, which is neither part of polykeras nor registered. Pass it "
        "in `custom_objects`, or decorate it with `polykeras.saving.register_keras_serializable`."
    )
