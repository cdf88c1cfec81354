"""The switch that turns all fast paths off, and the account of what was chosen.

A fast path computes what its plain form beside it computes, in another way: a framework's kernel in place of a
composite, a compiled or recorded step in place of Python. `POLYKERAS_FAST=0` leaves the plain forms alone, to find out
whether a fast path is to blame for something. `POLYKERAS_EXPLAIN=1` says on stderr what is chosen where a path has an
alternative that pays for other models. What is chosen depends on the model and the shapes only, never on the clock: the
same program gives the same bits each time it runs on a machine.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

OFF, ON = ("0", "false", "off", "no"), ("", "1", "true", "on", "yes")


def _switch(variable: str, default: bool) -> bool:
    value = os.environ.get(variable, "").strip().lower()
    if value not in OFF + ON:
        raise ValueError(f"The environment variable {variable} must be 0 or 1; received {value!r}.")
    return value not in OFF if value else default


_on: ContextVar[bool] = ContextVar("polykeras_fast_paths", default=True)


@cache
def _allowed() -> bool:
    return _switch("POLYKERAS_FAST", True)


def enabled() -> bool:
    """Return whether fast paths may be taken: not where the environment says `POLYKERAS_FAST=0`, nor within `off`.

    Raises:
        ValueError: the variable is neither 0 nor 1.
    """
    return _on.get() and _allowed()


@contextmanager
def off() -> Iterator[None]:
    """Within this context no fast paths are taken in this thread; composites are left to `plain_form`."""
    token = _on.set(False)
    try:
        yield
    finally:
        _on.reset(token)


@cache
def explaining() -> bool:
    """Return whether choices are told: whether the environment says `POLYKERAS_EXPLAIN=1`.

    Raises:
        ValueError: the variable is neither 0 nor 1.
    """
    return _switch("POLYKERAS_EXPLAIN", False)


def explain(what: str, chosen: str, why: str) -> None:
    """Tell on stderr, where that was asked for, what was chosen for something and why."""
    if explaining():
        print(f"polykeras: {what}: {chosen}, as {why}", file=sys.stderr)


def without_overrides(backend: Any, contract: type) -> Any:
    """Return a backend whose composites are those of the contract, without the kernels that override them.

    Args:
        backend: an instance of a class under `contract`.
        contract: the class whose composites count: its public ops that are not abstract.
    """
    given = type(backend)
    plain = {}
    for name in dir(contract):
        method = getattr(contract, name)
        composite = hasattr(method, "__op__") and not getattr(method, "__isabstractmethod__", False)
        if composite and inspect.unwrap(getattr(given, name)) is not inspect.unwrap(method):
            plain[name] = method
    backend.__class__ = type(given.__name__, (given,), plain)
    return backend
