"""Data of a framework's own types. The framework's provider handles them, whatever the current backend is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from polykeras import fast
from polykeras.backend.providers import provider_of, providers
from polykeras.backend.registry import load


def on_host(function: Callable[..., Any], arrays: list[Any], specs: Callable[..., Any]) -> Any:
    """Apply a function of host arrays to arrays that a framework traces. Return NotImplemented for other arrays.

    Args:
        function: takes NumPy arrays and returns a list of them.
        arrays: arrays of any framework.
        specs: takes the shapes of the arrays (None for unknown sizes), and returns the shape and dtype of each result.
    """
    for array in arrays:
        provider = provider_of(array)
        if provider is not None and provider.on_host is not None:
            return provider.on_host(function, arrays, specs)
    return NotImplemented


def batches_of(source: Any) -> Iterator[Any]:
    """Return an iterator over batches, made by the provider of the framework that defines the type of `source`.

    Args:
        source: an iterable of any framework, whatever the current backend is.
    """
    provider = provider_of(source) if fast.enabled("loaders") else None
    return iter(source) if provider is None else provider.batches_of(source)


def dataset_of(name: str, make: Callable[[], Iterator[Any]]) -> Any:
    """Return a data set of a framework.

    Args:
        name: the name of the framework's backend.
        make: returns a new iterator over NumPy arrays, or trees of them.

    Raises:
        ValueError: if the framework has no such data sets.
    """
    load(name)
    provider = providers()[name]
    if provider.dataset_of is None:
        able = ", ".join(other for other, found in providers().items() if found.dataset_of is not None)
        raise ValueError(f"The backend {name!r} has no data sets; expected one of: {able}.")
    return provider.dataset_of(make)
