"""Knows what is traced as part of a loop, where XLA's kernels for the CPU are others."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

_inside: ContextVar[bool] = ContextVar("polykeras_jax_inside_loop", default=False)


def inside_loop() -> bool:
    """Return whether what is traced now becomes part of a loop."""
    return _inside.get()


def in_loop(fn: F) -> F:
    """Return a function that is traced as part of a loop."""

    @wraps(fn)
    def run(*args: Any, **kwargs: Any) -> Any:
        token = _inside.set(True)
        try:
            return fn(*args, **kwargs)
        finally:
            _inside.reset(token)

    return run  # type: ignore[return-value]
