"""Objects that occur several times in one config: one object again when it is read.

A layer that a model shares with one nested in it is described in both. In Keras 3's files both descriptions carry the
same `shared_object_id`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_described: ContextVar[dict[int, tuple[Any, dict[str, Any]]] | None] = ContextVar("polykeras_described", default=None)
_made: ContextVar[dict[Any, Any] | None] = ContextVar("polykeras_made", default=None)


@contextmanager
def sharing_objects() -> Iterator[None]:
    """Within this context objects are described, and made, once; an outer context goes on within an inner one."""
    tokens = [(held, held.set({})) for held in (_described, _made) if held.get() is None]
    try:
        yield
    finally:
        for held, token in tokens:
            held.reset(token)


def mark(obj: Any, config: dict[str, Any]) -> dict[str, Any]:
    """Return the config of an object, with a number where it was described before."""
    known = _described.get()
    if known is None:
        return config
    if id(obj) not in known:
        known[id(obj)] = obj, config  # the object too: its id stays its own
        return config
    first = known[id(obj)][1]
    first["shared_object_id"] = config["shared_object_id"] = id(obj) % 2**53
    return config


def find(config: Any) -> Any:
    """Return the object that was made for a config's number, or None."""
    made = _made.get()
    number = config.get("shared_object_id")
    return None if made is None or not isinstance(number, int) else made.get(number)


def note(config: Any, obj: Any) -> None:
    """Take note of the object that was made of a config."""
    made = _made.get()
    number = config.get("shared_object_id")
    if made is not None and isinstance(number, int):
        made[number] = obj


def completed(config: Any) -> Any:
    """Return a config in which the first description of an object carries the number that the second one has.

    Keras 3.15 leaves it out of what a `Sequential` holds, and then cannot read its own file.
    """
    entries = list(_described_objects(config))
    numbered: dict[str, Any] = {}
    counts = Counter(entry["shared_object_id"] for entry in entries if "shared_object_id" in entry)
    for entry in entries:
        number = entry.get("shared_object_id")
        if number is not None and counts[number] == 1:
            numbered[_content(entry)] = number
    for entry in entries:
        if numbered and "shared_object_id" not in entry and "name" in entry["config"]:
            number = numbered.get(_content(entry))
            if number is not None:
                entry["shared_object_id"] = number
    return config


def _described_objects(config: Any) -> Iterator[dict[str, Any]]:
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if isinstance(part.get("config"), dict) and isinstance(part.get("shared_object_id", 0), int):
                yield part
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)


def _content(entry: dict[str, Any]) -> str:
    return json.dumps([entry.get("class_name"), _unnumbered(entry["config"])], sort_keys=True, default=str)


def _unnumbered(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _unnumbered(value) for key, value in part.items() if key != "shared_object_id"}
    return [_unnumbered(value) for value in part] if isinstance(part, list) else part
