"""The parts of a model that are saved, each with the path that Keras 3 gives it in files.

A part is reached by the first attribute that leads to it: public names before private ones, each in alphabetical order.
The parts of a list are numbered by class. So a new layer is saved without further code, under names that do not depend
on those that layers were given.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from polykeras.common.checkpointable import Checkpointable, contained
from polykeras.common.naming import to_snake_case


def parts(root: Checkpointable) -> Iterator[tuple[str, Checkpointable]]:
    """Yield each part of a model once, with its path. The model itself comes first, with the path ""."""
    seen: dict[int, Any] = {}
    yield from _visit(root, "", seen)


def _visit(part: Checkpointable, path: str, seen: dict[int, Any]) -> Iterator[tuple[str, Checkpointable]]:
    if id(part) in seen:
        return
    seen[id(part)] = part  # keeps the part alive, so that its id stays unique
    yield path, part
    for name, value in _attributes(part):
        inner = f"{path}/{name}" if path else name
        if isinstance(value, Checkpointable):
            yield from _visit(value, inner, seen)
        elif isinstance(value, (list, tuple, dict, set)):
            yield from _visit_container(value, inner, seen)


def _attributes(part: Checkpointable) -> Iterator[tuple[str, Any]]:
    hidden = type(part)._unwalked() | set(getattr(part, "_untracked", ()))
    names = {name for name in (*vars(part), *type(part)._class_names()) if not name.startswith("__")} - hidden
    # The layers of a graph come before those that a subclass adds.
    first = {"layers"} & names if getattr(part, "_graph_model", lambda: None)() else set()
    for name in sorted(names, key=lambda name: (name not in first, name.startswith("_"), name)):
        try:
            value = getattr(part, name)
        except Exception:  # a property without a value yet; its value would be an attribute too
            continue
        yield name, value


def _visit_container(container: Any, path: str, seen: dict[int, Any]) -> Iterator[tuple[str, Checkpointable]]:
    if id(container) in seen or not container:
        return
    seen[id(container)] = container
    counts: dict[str, int] = {}
    for value in contained(container):
        if isinstance(value, Checkpointable):
            name = _numbered(to_snake_case(getattr(type(value), "_name_in_files", type(value).__name__)), counts)
            yield from _visit(value, f"{path}/{name}", seen)
        elif isinstance(value, (list, tuple, dict, set)):
            yield from _visit_container(value, f"{path}/{_numbered('container', counts)}", seen)


def _numbered(name: str, counts: dict[str, int]) -> str:
    number = counts[name] = counts.get(name, -1) + 1
    return f"{name}_{number}" if number else name
