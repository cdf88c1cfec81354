"""Keras 2's functions for configs: the name of a class and its arguments, without the module of the class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polykeras.saving import custom_object_scope, get_registered_name, get_registered_object
from polykeras.saving import deserialize_keras_object as deserialize_today

__all__ = ["deserialize_keras_object", "serialize_keras_object"]


def serialize_keras_object(instance: Any) -> Any:
    """Return the config of an object with `get_config`, or the name of a class or function. None is returned unchanged.

    Returns:
        `{"class_name": ..., "config": ...}`, with the contents of the config in the same form.

    Raises:
        ValueError: if it has neither a config nor a name.
    """
    if instance is None:
        return None
    if hasattr(instance, "get_config"):
        config = {key: _part(value) for key, value in instance.get_config().items()}
        return {"class_name": get_registered_name(type(instance)), "config": config}
    if hasattr(instance, "__name__"):
        return get_registered_name(instance)
    raise ValueError(f"serialize_keras_object: {instance!r} has neither `get_config` nor a name.")


def _part(value: Any) -> Any:
    return serialize_keras_object(value) if hasattr(value, "get_config") or hasattr(value, "__name__") else value


def deserialize_keras_object(
    identifier: Any,
    module_objects: Mapping[str, Any] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    printable_module_name: str = "object",
) -> Any:
    """Return the object of a config, or of a name.

    Args:
        identifier: a result of `serialize_keras_object`. The name of a class gives an object without arguments.
            Anything that is neither a config nor a name is returned unchanged.
        module_objects: the classes and functions by name.
        custom_objects: further classes and functions, which take precedence.
        printable_module_name: the name of the object in messages.

    Raises:
        ValueError: if the name is not known.
    """
    if not isinstance(identifier, (str, Mapping)):
        return identifier
    by_config = isinstance(identifier, Mapping)
    if by_config and not {"class_name", "config"} <= identifier.keys():
        raise ValueError(f"Expected the config of a {printable_module_name}, with class_name; received {identifier!r}.")
    name = identifier["class_name"] if by_config else identifier
    known = {**(module_objects or {}), **(custom_objects or {})}
    found = known[name] if name in known else get_registered_object(name)
    if found is None and by_config:
        return deserialize_today(identifier, custom_objects)  # a built-in object, or an error that says what to do
    if found is None:
        raise ValueError(f"There is no {printable_module_name} {name!r}. Pass it in `custom_objects`.")
    if not by_config:
        return found() if isinstance(found, type) else found
    with custom_object_scope(custom_objects or {}):
        return found.from_config(identifier["config"])
