"""What backends announce of themselves.

A backend announces itself by an entry point of the group `polykeras.backends`, whose object is a `Provider`. Nothing
here knows a framework's name; ours are announced in the same way as a stranger's.
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
    """What a backend's entry point names.

    Attributes:
        framework: the import name of the framework it needs; None if it needs nothing more than itself.
        load: imports the framework and returns the backend; called at most once in a process.
        priority: the installed provider with the highest one is the default backend; 0 or less for one that is
            only taken when asked for (the numpy backend, with 0, is the last resort).
        install: the command that installs the framework.
        tested: the oldest and the newest release of the framework that the tests were run with, as `("2.6", "2.15")`;
            each stands for all releases that begin so. None where nobody says.
        batches_of: `iter` for data of a type that the framework defines, where it knows a quicker way to the same
            values; batches may hold NumPy's arrays in place of its own. Called only for these, and so where the
            framework is loaded.
        on_host: runs a function of host arrays within a function that the framework traces, as in a map over a data
            set: `on_host(function, arrays, spec)`, where `spec(*shapes)` gives shape and dtype of the result (None for
            sizes that are not known). Returns NotImplemented where no array is traced. Called only for arrays of the
            framework, whatever the current backend is.
        dataset_of: a data set of the framework's own, of a function that returns an iterator over NumPy arrays, or
            trees of them, from their beginning; None where the framework has none that reads so.
        layer_methods: names of methods that layers have where the backend is loaded, for messages where it is not.
        fast_paths: the backend's fast paths by name, and what each is: the names that its code asks `fast.enabled` for.
    """

    framework: str | None
    load: Callable[[], Backend]
    priority: int = -1
    install: str = ""
    tested: tuple[str, str] | None = None
    batches_of: Callable[[Any], Iterator[Any]] = iter
    on_host: Callable[[Callable[..., Any], list[Any], Callable[..., Any]], Any] | None = None
    dataset_of: Callable[[Callable[[], Iterator[Any]]], Any] | None = None
    layer_methods: frozenset[str] = frozenset()
    fast_paths: Mapping[str, str] = field(default_factory=dict, hash=False)

    def installed(self) -> bool:
        """Return whether the framework can be imported, without importing it."""
        return self.framework is None or importlib.util.find_spec(self.framework) is not None


@cache
def providers() -> dict[str, Provider]:
    """Return the announced providers by name, the highest priority first."""
    from importlib import metadata  # a fifth of the import time of this package

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
    """Return the provider of the framework that defines the type of an object; None for none."""
    package = type(x).__module__.partition(".")[0]
    return next((provider for provider in providers().values() if provider.framework == package), None)
