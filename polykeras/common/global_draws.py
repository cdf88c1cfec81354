"""Notices random numbers that are drawn from Python's or NumPy's global generators while code is compiled.

Compiled code keeps such a number and uses it again in each call, because a tracer cannot tell it from other numbers.

The generators belong to the whole process, so a draw of another thread at the same time counts too. Our own threads
that run a user's code, such as readers of data, draw all the time. They are known, and whatever they may have drawn
does not count.
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
_threads: set[object] = set()  # one mark for each of our threads that run a user's code
_latest: list[object] = [None]  # the latest mark


@contextmanager
def elsewhere() -> Iterator[None]:
    """Mark that another thread runs a user's code: its draws cannot be told from those of a trace at the same time."""
    mark = object()
    _threads.add(mark)
    _latest[0] = mark
    try:
        yield
    finally:
        _threads.discard(mark)


class OurThreads:
    """The activity of our threads since this object was made."""

    def __init__(self) -> None:
        self._latest = _latest[0]
        self._run = bool(_threads)

    def have_run(self) -> bool:
        """Return whether one of them has run a user's code since then, and so may have drawn numbers."""
        return self._run or _latest[0] is not self._latest


class HostDraws:
    """Detects random numbers that are drawn from the global generators of Python and NumPy within the context.

    Attributes:
        names: after the context, the generators that were drawn from or seeded. Empty if our own threads may have done
            so.
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
    """Return `fn`, for tracing, with a warning if it draws from a global generator.

    Args:
        fn: the function to trace; called only to trace it.
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
        f"The code that was just compiled drew random numbers from `{name}`. They are now constants: each call of the "
        "compiled code uses the same ones. Draw them with polykeras.random and a SeedGenerator, or draw them outside "
        "and pass them as an argument.",
        RuntimeWarning,
        stacklevel=2,
    )
