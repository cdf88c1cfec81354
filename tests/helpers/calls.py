"""How often Python code runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def counted(fn: Callable[..., Any]) -> tuple[Callable[..., Any], list[int]]:
    """Return a function, and a list that gets an item each time its Python code runs."""
    runs = []

    def wrapper(*args: Any) -> Any:
        runs.append(1)
        return fn(*args)

    return wrapper, runs
