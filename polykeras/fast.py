"""The switches that turn fast paths off, and the account of what was chosen.

A fast path computes what its plain form beside it computes, in another way: a framework's kernel in place of a
composite, a compiled or recorded step in place of Python. `POLYKERAS_FAST=0` leaves the plain forms alone, to find out
whether a fast path is to blame for something. `POLYKERAS_FAST=-NAME,-NAME` takes some away: those of `PATHS` and of the
backends, and the kernels in place of composites, by the names of those (`-lstm`). The names are no API: a release may
add, rename or drop some. `POLYKERAS_EXPLAIN=1` says on stderr what is chosen where a path has an alternative that pays
for other models. What is chosen depends on the model and the shapes only, never on the clock: the same program gives
the same bits each time it runs on a machine.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

OFF, ON = ("0", "false", "off", "no"), ("", "1", "true", "on", "yes")


def _switch(variable: str, default: bool) -> bool:
    value = os.environ.get(variable, "").strip().lower()
    if value not in OFF + ON:
        raise ValueError(f"The environment variable {variable} must be 0 or 1; received {value!r}.")
    return value not in OFF if value else default


_on: ContextVar[bool] = ContextVar("polykeras_fast_paths", default=True)


PATHS = {
    "freed-memory": "freed memory kept for the next step",
    "interrupts": "Ctrl-C put off without the enums of Python's `signal`",
    "kernels": "framework kernels in place of composites, all of them",
    "loaders": "a framework's data loaders read without their bookkeeping",
    "one-batch": "`predict` of one batch that nobody watches, straight to the step",
    "repeated-calls": "`model(x)` compiled from its third call on",
    "whole-recurrence": "LSTM and GRU over all times at once, with gradients written out",
}
"""The fast paths of the core by name, and what each is. A backend's provider names its own (`Provider.fast_paths`);
kernels in place of single composites have the names of those."""


@cache
def taken_away() -> frozenset[str] | None:
    """Return the names of paths that the environment takes away; None where it takes all of them."""
    value = os.environ.get("POLYKERAS_FAST", "").strip().lower()
    if value.startswith("-"):
        names = [name.strip() for name in value.split(",")]
        if all(name.startswith("-") for name in names):
            return frozenset(name[1:] for name in names)
    elif value in ON:
        return frozenset()
    elif value in OFF:
        return None
    raise ValueError(
        f"The environment variable POLYKERAS_FAST must be 0 or 1, or names of fast paths to take away, as in "
        f"-xla,-recorder; received {value!r}."
    )


def are_switched() -> bool:
    """Return whether the environment takes any fast path away."""
    return taken_away() != frozenset()


def enabled(path: str | None = None) -> bool:
    """Return whether a fast path may be taken: not where the environment takes it away, nor within `off`.

    Args:
        path: its name, of `PATHS` or of a backend's; None asks whether there are any.

    Raises:
        ValueError: the environment variable `POLYKERAS_FAST` is malformed.
    """
    away = taken_away()
    return away is not None and path not in away and _on.get()


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
