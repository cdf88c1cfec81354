"""The state of a callback, read from its attributes."""

from __future__ import annotations

import inspect
import os
from typing import Any

from polykeras.training.resuming.encoding import can_encode

_OF_THE_RUN = ("params", "_model", "_given")


def encodable_attributes(callback: Any, given: tuple[tuple[Any, ...], dict[str, Any]]) -> dict[str, Any]:
    """Return the attributes of a callback that are plain data or arrays. Its settings are left out.

    Args:
        callback: the callback.
        given: the arguments of its `__init__`.
    """
    found = {name: value for name, value in vars(callback).items() if name not in _OF_THE_RUN and can_encode(value)}
    settings = _arguments(callback, given)
    settings |= {f"_{name}": argument for name, argument in settings.items()}
    return {n: value for n, value in found.items() if not (n in settings and _is_as_given(value, settings[n]))}


def _arguments(callback: Any, given: tuple[tuple[Any, ...], dict[str, Any]]) -> dict[str, Any]:
    args, kwargs = given
    try:
        bound = inspect.signature(type(callback).__init__).bind(callback, *args, **kwargs)
    except (TypeError, ValueError):  # not made by a call of its class
        return {}
    bound.apply_defaults()
    arguments = dict(bound.arguments)
    return arguments | arguments.pop("kwargs", {})


def _is_as_given(value: Any, argument: Any) -> bool:
    """Return whether an attribute still is the argument. Objects that can change in place do not count."""
    if isinstance(argument, os.PathLike):
        argument = os.fspath(argument)
    return type(value) is type(argument) and type(value) in (type(None), bool, int, float, str) and value == argument


def set_attributes(callback: Any, state: dict[str, Any]) -> None:
    """Give a callback the attributes that `encodable_attributes` returned."""
    for name, value in state.items():
        current = getattr(callback, name, None)
        if isinstance(current, list) and isinstance(value, list):
            current[:] = value
        elif isinstance(current, dict) and isinstance(value, dict):
            current.clear()
            current.update(value)
        else:
            setattr(callback, name, value)
