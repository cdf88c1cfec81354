"""Objects to configs and back, with the registries of everything that a config may name.

A config is plain data: `{"module", "class_name", "config", "registered_name"}`, as Keras 3 writes it. It can name only
objects that are in a registry, were registered by the user, or are passed as `custom_objects`. Nothing is imported by
name.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from types import FunctionType
from typing import Any, Generic, TypeVar

from polykeras.backend import registry
from polykeras.common.naming import is_ours, with_article
from polykeras.saving import keras_values, shared_objects
from polykeras.saving.custom_objects import custom_object_scope, find_custom, find_exactly, get_registered_name
from polykeras.saving.lambdas import code_allowed, describe_lambda, is_code_decided, lambda_of
from polykeras.saving.limits import checked_name
from polykeras.saving.named_objects import NamedObjects
from polykeras.seeds import SeedGenerator

T = TypeVar("T")

_registries: dict[str, Registry[Any]] = {}


class Registry(NamedObjects, Generic[T]):
    """The objects of one kind, by name or by config.

    Args:
        kind: the kind, for messages, for instance `"loss"`.
        module: the public module, as configs spell it, for instance `"keras.losses"`.
    """

    def __init__(self, kind: str, module: str) -> None:
        super().__init__(kind, module)
        _registries[module] = self

    def get(self, identifier: Any) -> Any:
        """Return the object for an identifier of a user.

        Args:
            identifier: None (returned as None), a name, a config dict, a class (called without arguments), or an
                instance or function (returned unchanged).

        Raises:
            ValueError: if the name is unknown, or the argument is of another type.
        """
        if identifier is None:
            return None
        if isinstance(identifier, str):
            identifier = self.find(identifier)
        if inspect.isclass(identifier):
            try:
                return identifier()
            except TypeError as error:
                name = identifier.__name__
                error.add_note(f"{name} was given as a class or a name. If it needs arguments, pass {name}(...).")
                raise
        if callable(identifier) or hasattr(identifier, "get_config"):
            return identifier
        if isinstance(identifier, Mapping):
            return self.deserialize(identifier)
        raise ValueError(
            f"Could not interpret {identifier!r} as {with_article(self.kind)}. Expected a name, a config dict, a "
            f"class, an instance or a function; received {type(identifier).__name__}."
        )

    def deserialize(self, config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """Return the object of a config; see `deserialize_keras_object`."""
        if isinstance(config, str):
            return self.get(config)
        return deserialize_keras_object(config, custom_objects, default=self)


Registry[Any]("seed generator", "keras.random").register()(SeedGenerator)  # its own module does not know about files


# ---- to configs ------------------------------------------------------------------------------------------------


def registry_of(module: str) -> Registry[Any] | None:
    """Return the registry of a public module, given as configs spell it, or None if it has none."""
    return _registries.get(module)


def _module_of(obj: Any) -> str | None:
    """Return the public module of a built-in class or function, or None for a user's."""
    return next((module for module, registry in _registries.items() if obj in registry), None)


def serialize_keras_object(obj: Any) -> Any:
    """Return plain data that describes `obj`.

    Args:
        obj: an object with `get_config`, a function, or plain data (which may hold such objects).

    Returns:
        JSON-like data, which `deserialize_keras_object` turns into an equal object.

    Raises:
        TypeError: if an object cannot be serialized.
    """
    if obj is None or isinstance(obj, (bool, int, float, str)):
        return obj
    described = keras_values.encode(obj)
    if described is not keras_values.NOTHING:
        return described
    if isinstance(obj, (list, tuple)):
        parts = [serialize_keras_object(part) for part in obj]
        return tuple(parts) if isinstance(obj, tuple) else parts
    if isinstance(obj, dict):
        return {key: serialize_keras_object(value) for key, value in obj.items()}
    if hasattr(obj, "get_config"):
        return shared_objects.mark(obj, _describe(obj))
    if isinstance(obj, FunctionType) and obj.__name__ == "<lambda>":
        return describe_lambda(obj, serialize_keras_object)
    if callable(obj) and hasattr(obj, "__name__"):
        if _module_of(obj):
            return obj.__name__
        # Functions are written as Keras writes them and looks for them.
        named = get_registered_name(obj)
        return {"module": "builtins", "class_name": "function", "config": named, "registered_name": "function"}
    # Checked last, since this loads the framework.
    if registry.current().is_tensor(obj):
        array = registry.current().to_numpy(obj)
        return serialize_keras_object(array) | {"class_name": "__tensor__"}
    raise TypeError(
        f"Cannot serialize {obj!r} ({type(obj).__name__}) in a config. Give its class a `get_config` method."
    )


def _describe(obj: Any) -> dict[str, Any]:
    cls = type(obj)
    module = _module_of(cls)
    # The module in which Keras 3 looks for a class that is in none of its public modules under that name.
    written = vars(cls).get("_module_in_configs")
    config = {
        "module": written or module or cls.__module__,
        "class_name": cls.__name__,
        "config": _with_plain_parts(obj.get_config()),
        "registered_name": (cls.__name__ if written else None) if module else get_registered_name(cls),
    }
    for part in ("build_config", "compile_config"):
        told = getattr(obj, f"get_{part}", lambda: None)()
        if told:
            config[part] = serialize_keras_object(told)
    return config


def _with_plain_parts(config: Any) -> Any:
    """Return a config in which objects and arrays that a user's class left in it are serialized.

    Plain parts are not copied, because a part may be marked later when its object occurs again.
    """
    if isinstance(config, dict):
        parts: Any = {key: _with_plain_parts(part) for key, part in config.items()}
        return config if all(parts[key] is part for key, part in config.items()) else parts
    if type(config) in (list, tuple):
        parts = type(config)(_with_plain_parts(part) for part in config)
        return config if all(new is part for new, part in zip(parts, config, strict=True)) else parts
    return serialize_keras_object(config)


# ---- and back --------------------------------------------------------------------------------------------------


def deserialize_keras_object(
    config: Any,
    custom_objects: Mapping[str, Any] | None = None,
    safe_mode: bool = True,
    default: Registry[Any] | None = None,
    module_objects: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> Any:
    """Return the object that a config describes.

    Args:
        config: the result of `serialize_keras_object`, or plain data.
        custom_objects: further names that it may use.
        safe_mode: False runs code of `lambda`s in the config, if no load in safe mode is going on.
        default: the registry to search if the config names no module.
        module_objects: further classes and functions for a name, or for a config without a module. The name of a class
            gives an object made without arguments.
        **kwargs: arguments of Keras 2, such as `printable_module_name`; they have no effect.

    Raises:
        ValueError: if the config names something that is neither built in nor registered nor passed.
    """
    undecided = not is_code_decided()
    if custom_objects or undecided:
        with custom_object_scope(custom_objects or {}), code_allowed(not safe_mode) if undecided else nullcontext():
            return deserialize_keras_object(config, default=default, module_objects=module_objects)
    name = config.get("class_name") if isinstance(config, Mapping) else config
    if module_objects is not None and isinstance(name, str):
        found = None if find_custom(name) is not None else module_objects.get(name)
        if isinstance(config, str):
            found = find_custom(name) if found is None else found
            return config if found is None else found() if inspect.isclass(found) else found
        with custom_object_scope({} if found is None else {name: found}):
            return deserialize_keras_object(config, default=default)
    if isinstance(config, (list, tuple)):
        return [deserialize_keras_object(part) for part in config]
    if not isinstance(config, Mapping):
        return config
    if "class_name" not in config or "config" not in config:
        return {key: deserialize_keras_object(value) for key, value in config.items()}
    name, inner = checked_name(config["class_name"], "class_name"), config["config"]
    found = keras_values.decode(name, inner, deserialize_keras_object)
    if found is not keras_values.NOTHING:
        return found
    if name == "__lambda__":
        return lambda_of(inner, deserialize_keras_object)
    if name == "function":
        return _function(checked_name(inner, "config"), config, default)
    known = shared_objects.find(config)
    if known is not None:
        return known
    cls = _find(name, config, default)
    if not hasattr(cls, "from_config"):
        raise ValueError(f"{name!r} cannot be made from a config: it has no `from_config`.")
    made = cls.from_config(inner)
    for part, method in (("build_config", "build_from_config"), ("compile_config", "compile_from_config")):
        if config.get(part) and hasattr(made, method):
            getattr(made, method)(config[part])
    shared_objects.note(config, made)
    return made


_OURS = frozenset(("", "builtins", "keras", "tf_keras", "polykeras", "tensorflow", "tf"))
"""The packages whose names stand for built-in objects: Keras's and our own."""
_EXTENSIONS = frozenset(("keras_cv", "keras_hub", "keras_nlp"))
"""The packages whose classes need not be registered, as in Keras."""


def _find(name: str, config: Mapping[str, Any], default: Registry[Any] | None) -> Any:
    """Return the class or function that a config names, the user's or a built-in one. Nothing is imported by name."""
    module, registered = _text(config, "module"), _text(config, "registered_name")
    custom = find_exactly(registered) if registered else None
    custom = custom if custom is not None else find_exactly(name)
    if custom is not None:
        return custom
    package = registered.partition(">")[0] if ">" in registered else "keras"
    ours = module.partition(".")[0] in _OURS and package.lower() == "keras"  # not a namesake
    registry = _registries.get(module) or _registries.get(".".join(module.split(".")[:2])) or default
    if ours and registry is not None and registry.knows(name):
        return registry.find(name)
    for candidate in _registries.values() if ours else ():
        if name in candidate.names():
            return candidate.find(name)
    custom = find_custom(registered or name)
    custom = custom if custom is not None else find_custom(name)
    if custom is not None:
        return custom
    if ours and registry is not None:
        return registry.find(name)  # the error suggests a similar name
    custom = _of_extension(module, name)
    if custom is not None:
        return custom
    raise ValueError(
        f"The config names {name!r} of module {module!r}, which is neither part of polykeras nor registered. Pass it "
        "in `custom_objects`, or decorate it with `polykeras.saving.register_keras_serializable`."
    )


def _of_extension(module: str, name: str) -> type | None:
    """Return a subclass of ours from an imported module of the packages in `_EXTENSIONS`, or None."""
    loaded = sys.modules.get(module) if module.partition(".")[0] in _EXTENSIONS else None
    found = None if loaded is None else vars(loaded).get(name)
    bases = found.__mro__ if inspect.isclass(found) else ()
    ours = any(is_ours(base) and hasattr(base, "from_config") for base in bases)
    return found if ours else None


def _text(config: Mapping[str, Any], key: str) -> str:
    return checked_name(config.get(key) or "", key)


def _function(name: str, config: Mapping[str, Any], default: Registry[Any] | None) -> Any:
    found = _find(name, config, default)
    if inspect.isclass(found) and _module_of(found):
        raise ValueError(f"The config names {name!r} as a function, but it is a class.")
    return found
