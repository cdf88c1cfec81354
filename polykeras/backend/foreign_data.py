"""Data of a framework's own types, whatever the current backend is: each is left to its framework's provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from polykeras import fast
from polykeras.backend.providers import provider_of, providers
from polykeras.backend.registry import load


def on_host(function: Callable[..., Any], arrays: list[Any], spec: Callable[..., Any]) -> Any:
    """Return what a function of host arrays gives for arrays that a framework traces; NotImplemented for others.

    Args:
        function: takes NumPy arrays, gives one.
        arrays: of any framework.
        spec: takes the shapes of the arrays, with None for unknown sizes, gives the shape and dtype of the result.
    """
    for array in arrays:
        provider = provider_of(array)
        if provider is not None and provider.on_host is not None:
            return provider.on_host(function, arrays, spec)
    return NotImplemented


def batches_of(source: Any) -> Iterator[Any]:
    """Return an iterator over batches, by the provider of the framework that defines the type of what holds them.

    Args:
        source: an iterable, of any framework and whatever the current backend is.
    """
    provider = provider_of(source) if fast.enabled("loaders") else None
    return iter(source) if provider is None else provider.batches_of(source)


def dataset_of(name: str, make: Callable[[], Iterator[Any]]) -> Any:
    """Return a data set of a framework.

    Args:
        name: of the framework's backend.
        make: returns an iterator over NumPy arrays, or trees of them, from their beginning.

    Raises:
        ValueError: if the framework has no such data sets.
    """
    load(name)
    provider = providers()[name]
    if provider.dataset_of is None:
        able = ", ".join(other for other, found in providers().items() if found.dataset_of is not None)
        raise ValueError(f"The backend {name!r} makes no data sets; expected one of: {able}.")
    return provider.dataset_of(make)
