"""The arguments that all optimizers share, also accepted by position."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

from polykeras.optimizers.state import OptimizerState

P = ParamSpec("P")
_SHARED = list(inspect.signature(OptimizerState.__init__).parameters.values())[2:-1]


def shared_arguments(init: Callable[P, None]) -> Callable[P, None]:
    """Let an `__init__` that passes `**kwargs` to `Optimizer` accept these by position, after its own, as in Keras."""
    *own, kwargs = inspect.signature(init).parameters.values()
    taken = {p.name for p in own}
    shared = [p for p in _SHARED if p.name not in taken]

    @wraps(init)
    def wrapped(*args: P.args, **given: P.kwargs) -> None:
        more = args[len(own) :]
        if len(more) > len(shared):
            raise TypeError(f"{type(args[0]).__name__} accepts {len(own) + len(shared) - 1} positional arguments.")
        by_place: dict[str, Any] = {p.name: value for p, value in zip(shared, more, strict=False)}
        twice = by_place.keys() & given.keys()
        if twice:
            raise TypeError(f"{type(args[0]).__name__} got multiple values for {', '.join(sorted(twice))}.")
        init(*args[: len(own)], **by_place, **given)  # type: ignore[call-arg]

    wrapped.__signature__ = inspect.Signature([*own, *shared, kwargs], return_annotation=None)  # type: ignore[attr-defined]
    return wrapped
