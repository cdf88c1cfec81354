"""Notices random numbers of Python's or NumPy's global generators that are drawn while code is traced.

What is compiled holds such a number as it was, and uses it again in each call. The tracer sees a number as any other.
"""

from __future__ import annotations

import pickle
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

_watched: ContextVar[bool] = ContextVar("polykeras_draws_watched", default=False)
_threads: set[object] = set()  # a mark for each thread of ours that runs code of a user's


@contextmanager
def elsewhere() -> Iterator[None]:
    """Around code of a user's in another thread: what it draws is not told from draws in a trace at the same time."""
    mark = object()
    _threads.add(mark)
    try:
        yield
    finally:
        _threads.discard(mark)


def fixed_by_tracing(fn: F) -> F:
    """Return a function that is to be traced, and warns where it draws from a global generator meanwhile.

    Args:
        fn: the function; called for each trace, and for nothing else.
    """

    @wraps(fn)
    def traced(*args: Any, **kwargs: Any) -> Any:
        if _watched.get():
            return fn(*args, **kwargs)
        token = _watched.set(True)
        before = _states()
        try:
            result = fn(*args, **kwargs)
        finally:
            _watched.reset(token)
        for name, old, new in zip(("random", "np.random"), before, _states(), strict=True):
            if old != new and not _threads:
                _warn(name)
        return result

    return traced  # type: ignore[return-value]


def _states() -> tuple[Any, bytes]:
    return random.getstate(), pickle.dumps(np.random.get_state(legacy=False))


def _warn(name: str) -> None:
    warnings.warn(
        f"The code that was just compiled drew random numbers from `{name}`. They are fixed now: each call of what was "
        "compiled uses the same ones. Draw them with polykeras.random and a SeedGenerator, or outside, and pass them "
        "as an argument.",
        RuntimeWarning,
        stacklevel=2,
    )
