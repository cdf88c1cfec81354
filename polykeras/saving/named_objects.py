"""Built-in classes and functions, by the names that users and configs use for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, ClassVar, TypeVar

from polykeras.common.naming import did_you_mean, to_snake_case, with_article
from polykeras.saving.custom_objects import find_custom, find_exactly

C = TypeVar("C")


class NamedObjects:
    """The classes and functions of one kind, by name. Some modules are loaded only when one of their names is used.

    Args:
        kind: the kind, for messages, for instance `"loss"`.
        module: the public module, as configs spell it, for instance `"keras.losses"`.
    """

    _kinds: ClassVar[list[NamedObjects]] = []

    def __init__(self, kind: str, module: str) -> None:
        self.kind = kind
        self.module = module
        self._objects: dict[str, Any] = {}
        self._aliases: dict[str, str] = {}
        self._later: dict[str, str] = {}
        self._spellings: list[str] = []  # as users write names; `_aliases` also knows them run together
        self._kinds.append(self)

    def register(self, *aliases: str) -> Callable[[C], C]:
        """Return a decorator that adds a class or function under its own name, its snake case and `aliases`."""

        def decorate(obj: C) -> C:
            name = obj.__name__  # type: ignore[attr-defined]
            self._objects[name] = obj
            self._call(name, *aliases)
            return obj

        return decorate

    def register_later(self, places: Mapping[str, str]) -> None:
        """Add objects whose modules are loaded on first use: the path of the module for each name."""
        self._later.update(places)
        for name in places:
            self._call(name)

    def _call(self, name: str, *aliases: str) -> None:
        for alias in (name, to_snake_case(name), name.lower(), *aliases):
            self._aliases.setdefault(alias, name)
        self._spellings += [name, to_snake_case(name), *aliases]

    def _load(self, name: str) -> Any:
        if name not in self._objects:
            import_module(self._later[name])
        return self._objects[name]

    def names(self) -> list[str]:
        """Return the names of all objects, without aliases."""
        return list(dict.fromkeys((*self._objects, *self._later)))

    def by_name(self) -> dict[str, Any]:
        """Return all objects by their names and aliases."""
        return {alias: self._load(name) for alias, name in self._aliases.items()}

    def knows(self, name: str) -> bool:
        """Return whether there is an object of that name."""
        return name in self._aliases

    def __contains__(self, obj: Any) -> bool:
        return any(known is obj for known in self._objects.values())

    def find(self, name: str) -> Any:
        """Return the class or function of that name.

        Raises:
            ValueError: if there is none; the message suggests the nearest name.
        """
        custom = find_exactly(name)
        if custom is not None:
            return custom
        if name in self._aliases:
            return self._load(self._aliases[name])
        custom = find_custom(name)  # found by the last part of its name only if it hides no built-in object
        if custom is not None:
            return custom
        others = [other.kind for other in self._kinds if other.knows(name)]
        if others:
            hint = f" {name!r} is {with_article(others[0])}, not {with_article(self.kind)}."
        else:
            inside = [known for known in self._spellings if len(name) > 1 and name.lower() in known]
            hint = did_you_mean(name, self._spellings) or did_you_mean(min(inside, key=len, default=""), inside)
        raise ValueError(
            f"Could not interpret {self.kind} identifier: Unknown {self.kind} {name!r}.{hint} Known: "
            f"{', '.join(sorted(self.names()))}. Pass an object, or register your own with "
            "`polykeras.saving.register_keras_serializable`."
        )
