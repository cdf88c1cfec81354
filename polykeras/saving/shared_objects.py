"""Objects that occur several times in one config, and become one object again when the config is read.

If a model shares a layer with a nested model, the layer is described in both. In Keras 3's files, both descriptions
carry the same `shared_object_id`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from polykeras.common import budget

_HOLDERS = frozenset((dict, list, tuple))


class _Shared:
    """What was described and created in a context.

    Attributes:
        described: objects and their configs, by the objects' ids.
        made: objects by the numbers of their configs.
    """

    def __init__(self) -> None:
        self.described: dict[int, tuple[Any, dict[str, Any]]] = {}
        self.made: dict[int, Any] = {}


_current: ContextVar[_Shared | None] = ContextVar("polykeras_shared_objects", default=None)


@contextmanager
def sharing_objects() -> Iterator[None]:
    """Describe, and create, each object once within this context. An inner context continues the outer one."""
    token = _current.set(_current.get() or _Shared())
    try:
        yield
    finally:
        _current.reset(token)


def mark(obj: Any, config: dict[str, Any]) -> dict[str, Any]:
    """Return the config of an object, with a number if it was described before."""
    shared = _current.get()
    if shared is None:
        return config
    known = shared.described
    if id(obj) not in known:
        known[id(obj)] = obj, config  # keeps the object too, so that its id stays unique
        return config
    first = known[id(obj)][1]
    first["shared_object_id"] = config["shared_object_id"] = id(obj) % 2**53
    return config


def configs() -> dict[int, dict[str, Any]]:
    """Return the config of each object that was described in this context, by its id."""
    shared = _current.get()
    return {} if shared is None else {number: config for number, (_, config) in shared.described.items()}


def find(config: Any) -> Any:
    """Return the object that was created for a config's number, or None."""
    shared, number = _current.get(), config.get("shared_object_id")
    return None if shared is None or not isinstance(number, int) else shared.made.get(number)


def note(config: Any, obj: Any) -> None:
    """Remember the object that was created from a config."""
    shared, number = _current.get(), config.get("shared_object_id")
    if shared is not None and isinstance(number, int):
        shared.made[number] = obj


def with_numbers_on_both(config: Any) -> Any:
    """Return a config in which the first description of an object carries the same number as the second one.

    Keras 3.15 leaves the number out inside a `Sequential`, and then cannot read its own file. Layers, which have names,
    are compared by digests, so that parts that are nested many times over are read only once.

    Raises:
        ValueError: if the config is larger than the budget allows.
    """
    counts = Counter(entry["shared_object_id"] for entry in _described_objects(config) if "shared_object_id" in entry)
    single = {number for number, count in counts.items() if count == 1}
    if not single:
        return config
    layers: list[tuple[bytes, dict[str, Any]]] = []
    _digest([config], layers)
    numbered = {
        content: entry["shared_object_id"] for content, entry in layers if entry.get("shared_object_id") in single
    }
    for content, entry in layers:
        if content in numbered and "shared_object_id" not in entry:
            entry["shared_object_id"] = numbered[content]
    return config


def _described_objects(config: Any) -> Iterator[dict[str, Any]]:
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if _is_described(part):
                yield part
            waiting.extend(part.values())
        elif isinstance(part, list) and _holds_more(part):
            waiting.extend(part)


def _is_described(part: dict[str, Any]) -> bool:
    return isinstance(part.get("config"), dict) and isinstance(part.get("shared_object_id", 0), int)


def _holds_more(parts: list[Any]) -> bool:
    return not _HOLDERS.isdisjoint(map(type, parts))


def _digest(part: Any, layers: list[tuple[bytes, dict[str, Any]]]) -> bytes:
    """Return a digest of a dict or list without the numbers, and add its layers with the digests of their contents.

    A nested dict or list appears in the text as its own digest, in bytes, which JSON cannot contain.
    """
    budget.spend(len(part))
    if not isinstance(part, dict):
        return _hash([_digest(v, layers) if type(v) in _HOLDERS else v for v in part])
    own = {k: _digest(v, layers) if type(v) in _HOLDERS else v for k, v in part.items() if k != "shared_object_id"}
    if _is_described(part) and "name" in part["config"]:
        layers.append((_hash([own.get("class_name"), own["config"]]), part))
    return _hash(sorted(own.items(), key=_key_of), b"dict")


def _key_of(item: tuple[Any, Any]) -> str:
    return str(item[0])


def _hash(parts: list[Any], kind: bytes = b"list") -> bytes:
    import hashlib  # imported here because it loads OpenSSL

    return hashlib.blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=16, person=kind).digest()
