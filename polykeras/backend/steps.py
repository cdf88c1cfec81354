"""A training step as a backend compiles it: a pure function of a state and a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from polykeras.backend.spec import Array

State: TypeAlias = list[Array]
PureStep: TypeAlias = Callable[[State, Any], tuple[State, Any]]
StepRunner: TypeAlias = Callable[[State, Any, Any, int, int], tuple[State, Any]]


Spec: TypeAlias = tuple[str, tuple[int | None, ...]]
"""The dtype and the shape of an array."""


def specs_of(arrays: Iterable[Any], name_of: Callable[[Any], str]) -> list[Spec]:
    """Return the dtypes, by the names that `name_of` gives them, and the shapes of some arrays."""
    return [(name_of(x.dtype), tuple(x.shape)) for x in arrays]


def check_state(before: Sequence[Spec], after: Sequence[Spec]) -> None:
    """Check that a step of `compile_steps` kept the dtypes and shapes of its state, as `specs_of` returns them.

    Raises:
        ValueError: if it returned another number of arrays, or changed a shape or dtype.
    """
    if len(after) != len(before):
        raise ValueError(f"compile_steps: the step was given {len(before)} state arrays and returned {len(after)}.")
    for i, (old, new) in enumerate(zip(before, after, strict=True)):
        if old != new:
            raise ValueError(
                f"compile_steps: expected the step to keep the shapes and dtypes of its state; state[{i}] went from "
                f"{old[0]}{list(old[1])} to {new[0]}{list(new[1])}. Cast or reshape the value that is assigned to it."
            )
