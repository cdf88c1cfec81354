"""How backends announce themselves.

A backend announces itself by an entry point of the group `polykeras.backends`, whose object is a `Provider`. This
module knows no framework's name; our own backends are announced in the same way as others.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polykeras.backend.base import Backend

GROUP = "polykeras.backends"


@dataclass(frozen=True, slots=True)
class Provider:
    """The object that a backend's entry point names.

    Attributes:
        framework: the import name of the framework that it needs, or None.
        load: imports the framework and returns the backend; called at most once in a process.
        priority: the installed provider with the highest priority is the default backend. The numpy backend, with 0, is
            the last resort. A provider with a negative priority is used only on request.
        install: the command that installs the framework.
        tested: the oldest and the newest release of the framework that the tests ran with, as `("2.6", "2.15")`. Each
            stands for all releases that begin with it. None if unknown.
        seed: seeds the framework's own random numbers, which native code in a user's layer or data set may use. Called
            only if the framework is imported, whatever the current backend is.
        batches_of: replaces `iter` for data whose type the framework defines, if there is a faster way to the same
            values. Batches may hold NumPy arrays in place of the framework's own. Called only for such data, so the
            framework is loaded.
        on_host: runs a function of host arrays inside a function that the framework traces, such as a map over a data
            set: `on_host(function, arrays, specs)`, where the function returns a list, and `specs(*shapes)` the shape
            and dtype of each result (None for unknown sizes). Returns NotImplemented if no array is traced. Called
            only for arrays of the framework, whatever the current backend is.
        dataset_of: makes a data set of the framework from a function that returns a new iterator over NumPy arrays, or
            trees of them; None if the framework has no such data sets.
        layer_methods: names of methods that layers have if the backend is loaded, for messages when it is not.
        on_search: functions by the name of an attribute that no layer has, and for which the framework searches in a
            layer. Each is called when it does, whatever the current backend is.
        fast_paths: the backend's fast paths by name, with a description; its code asks `fast.enabled` for these names.
    """

    framework: str | None
    load: Callable[[], Backend]
    priority: int = -1
    install: str = ""
    tested: tuple[str, str] | None = None
    seed: Callable[[int], None] = lambda seed: None
    batches_of: Callable[[Any], Iterator[Any]] = iter
    on_host: Callable[[Callable[..., Any], list[Any], Callable[..., Any]], Any] | None = None
    dataset_of: Callable[[Callable[[], Iterator[Any]]], Any] | None = None
    layer_methods: frozenset[str] = frozenset()
    on_search: Mapping[str, Callable[[], None]] = field(default_factory=dict, hash=False)
    fast_paths: Mapping[str, str] = field(default_factory=dict, hash=False)

    def installed(self) -> bool:
        """Return whether the framework can be imported, without importing it."""
        return self.framework is None or importlib.util.find_spec(self.framework) is not None


@cache
def providers() -> dict[str, Provider]:
    """Return the announced providers by name, the highest priority first."""
    from importlib import metadata  # slow to import: a fifth of the package's import time

    points = metadata.entry_points(group=GROUP)
    found = {point.name: point.load() for point in points}
    if not found:
        raise RuntimeError(
            "No backend is announced, not even numpy: polykeras was not installed. "
            "Run `pip install polykeras`, or `pip install -e .` in a checkout."
        )
    return dict(sorted(found.items(), key=lambda item: (-item[1].priority, item[0])))


def fast_paths() -> dict[str, str]:
    """Return the fast paths of all announced backends by name, and what each is. Loads no framework."""
    return {name: about for provider in providers().values() for name, about in provider.fast_paths.items()}


def provider_of(x: Any) -> Provider | None:
    """Return the provider of the framework that defines the type of an object, or None."""
    package = type(x).__module__.partition(".")[0]
    return next((provider for provider in providers().values() if provider.framework == package), None)
