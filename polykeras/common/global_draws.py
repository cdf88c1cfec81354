"""Notices random numbers of Python's or NumPy's global generators that are drawn while code is compiled.

What is compiled holds such a number as it was, and uses it again in each call. The tracer sees a number as any other.

The generators are those of the process: a draw of another thread meanwhile looks the same, and counts. Threads of ours
that run code of a user's (readers of data, which draw all the time) are known, and what they may have drawn does not.
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
_latest: list[object] = [None]  # the mark that came last


@contextmanager
def elsewhere() -> Iterator[None]:
    """Around code of a user's in another thread: what it draws is not told from draws in a trace at the same time."""
    mark = object()
    _threads.add(mark)
    _latest[0] = mark
    try:
        yield
    finally:
        _threads.discard(mark)


class OurThreads:
    """The threads of ours, from now on."""

    def __init__(self) -> None:
        self._latest = _latest[0]
        self._run = bool(_threads)

    def have_run(self) -> bool:
        """Return whether one has run code of a user's since this was made, so that it may have drawn numbers."""
        return self._run or _latest[0] is not self._latest


class HostDraws:
    """The random numbers of Python or NumPy that are drawn within the context, from the generators that all share.

    Attributes:
        names: afterwards, which generators gave numbers, or were seeded. None where threads of ours may have done it.
    """

    names: tuple[str, ...] = ()

    def __enter__(self) -> HostDraws:
        self._threads = OurThreads()
        self._before = _states()
        return self

    def __exit__(self, *exc_info: Any) -> None:
        after = _states()
        if not self._threads.have_run():
            self.names = tuple([name for name, state in after.items() if state != self._before[name]])


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
        try:
            with HostDraws() as drawn:
                result = fn(*args, **kwargs)
        finally:
            _watched.reset(token)
        for name in drawn.names:
            _warn(name)
        return result

    return traced  # type: ignore[return-value]


def _states() -> dict[str, Any]:
    return {"random": random.getstate(), "np.random": pickle.dumps(np.random.get_state(legacy=False))}


def _warn(name: str) -> None:
    warnings.warn(
        f"The code that was just compiled drew random numbers from `{name}`. They are fixed now: each call of what was "
        "compiled uses the same ones. Draw them with polykeras.random and a SeedGenerator, or outside, and pass them "
        "as an argument.",
        RuntimeWarning,
        stacklevel=2,
    )
