"""Tracks whether code is traced as part of a loop, in which XLA uses other kernels for the CPU."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

_inside: ContextVar[bool] = ContextVar("polykeras_jax_inside_loop", default=False)


def inside_loop() -> bool:
    """Return whether the code being traced becomes part of a loop."""
    return _inside.get()


def traced_with(fact: ContextVar[bool], value: bool, fn: F) -> F:
    """Return `fn`, traced with the context variable `fact` set to `value`."""

    @wraps(fn)
    def run(*args: Any, **kwargs: Any) -> Any:
        token = fact.set(value)
        try:
            return fn(*args, **kwargs)
        finally:
            fact.reset(token)

    return run  # type: ignore[return-value]


def in_loop(fn: F) -> F:
    """Return a function that is traced as part of a loop."""
    return traced_with(_inside, True, fn)
