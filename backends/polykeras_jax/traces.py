"""What the code being traced becomes a part of: a loop, a program of all workers, a program with kernels of XLA's."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Trace:
    """What is true of the trace that runs.

    Attributes:
        in_loop: it becomes part of a loop, in which XLA uses other kernels for the CPU.
        in_workers: it becomes part of a program of all workers.
        has_convolution_kernels: XLA's own kernels will compute its convolutions.
    """

    in_loop: bool = False
    in_workers: bool = False
    has_convolution_kernels: bool = False


_NOTHING = Trace()
_current: ContextVar[Trace] = ContextVar("polykeras_jax_trace", default=_NOTHING)


def current_trace() -> Trace:
    """Return what is true of the code being traced."""
    return _current.get()


def traced_with(fn: F, **facts: bool) -> F:
    """Return `fn`, traced with these facts of a `Trace`."""

    @wraps(fn)
    def run(*args: Any, **kwargs: Any) -> Any:
        token = _current.set(replace(_current.get(), **facts))
        try:
            return fn(*args, **kwargs)
        finally:
            _current.reset(token)

    return run  # type: ignore[return-value]


def in_loop(fn: F) -> F:
    """Return a function that is traced as part of a loop."""
    return traced_with(fn, in_loop=True)
