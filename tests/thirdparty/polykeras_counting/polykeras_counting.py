"""A backend that counts: it supplies each required method by another backend's, and nothing else.

It shows what a stranger's backend needs: a class that implements the contract, a `Provider`, and an entry point. All
composites come from the contract and run over the counted primitives.
"""

from __future__ import annotations

import functools
from abc import update_abstractmethods
from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

from polykeras.backend import Backend, Provider
from polykeras.backend.registry import load


class CountingBackend(Backend):
    """Counts the calls of primitives."""

    name: ClassVar[str] = "counting"
    version: ClassVar[str] = "0.1.0"

    def __init__(self, below: Backend) -> None:
        """Count what runs on `below`."""
        self._below = below
        self.calls: Counter[str] = Counter()

    @property
    def unsupported_dtypes(self) -> dict[str, str]:
        """Those of the backend below."""
        return self._below.unsupported_dtypes


def _counted(declared: Callable[..., Any]) -> Callable[..., Any]:
    name = declared.__name__

    @functools.wraps(declared)
    def method(self: CountingBackend, *args: Any, **kwargs: Any) -> Any:
        self.calls[name] += 1
        return getattr(self._below, name)(*args, **kwargs)

    del method.__isabstractmethod__  # type: ignore[attr-defined]
    return method


for _name in Backend.__abstractmethods__:
    setattr(CountingBackend, _name, _counted(getattr(Backend, _name)))
update_abstractmethods(CountingBackend)

provider = Provider(framework=None, load=lambda: CountingBackend(load("numpy")))
