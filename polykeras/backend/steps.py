"""A step of training as a backend compiles it: a pure function of a state and a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from polykeras.backend.spec import Array

State: TypeAlias = list[Array]
Step: TypeAlias = Callable[[State, Any], tuple[State, Any]]
StepRunner: TypeAlias = Callable[[State, Any, Any, int, int], tuple[State, Any]]


@dataclass(frozen=True, slots=True)
class StepParts:
    """A step in parts, for a backend that gains where what looks on, or gives logs, does so once for several steps.

    Attributes:
        step: the pure `(state, batch) -> (state, seen)`; `seen` is a tree of arrays whose first axis is the batch's,
            lent to `look` for the time of the call.
        places: of the part of the state that `look` and `report` know.
        look: the pure `(part, seen) -> (part, None)`: takes what was seen in one step, or in several, one after the
            other along the first axis. `step` neither reads nor changes what this changes, which is the same to the
            last bit, however the steps are grouped. None where nothing is seen.
        report: the pure `(part) -> (part, logs)`, which changes nothing: only after the last step do logs matter.
    """

    step: Step
    places: Sequence[int]
    look: Callable[[State, Any], tuple[State, None]] | None
    report: Callable[[State], tuple[State, Any]]

    def part(self, state: State) -> State:
        """Return the part of a state that `look` and `report` know."""
        return [state[place] for place in self.places]

    def exchange(self, state: State, part: State) -> None:
        """Put another such part into a state."""
        for place, value in zip(self.places, part, strict=True):
            state[place] = value

    def silent_step(self, state: State, batch: Any) -> tuple[State, dict[str, Any]]:
        """Do a step and look at what it sees: all but the logs, which `logs` gives later."""
        state, seen = self.step(state, batch)
        if self.look is not None:
            self.exchange(state, self.look(self.part(state), seen)[0])
        return state, {}

    def logs(self, state: State) -> Any:
        """Return the logs that a step would give after which the state is this one."""
        return self.report(self.part(state))[1]


Kind: TypeAlias = tuple[str, tuple[int | None, ...]]


def kinds_of(arrays: Iterable[Any], name_of: Callable[[Any], str]) -> list[Kind]:
    """Return the dtypes, by the names that `name_of` gives them, and the shapes of some arrays."""
    return [(name_of(x.dtype), tuple(x.shape)) for x in arrays]


def check_state(before: Sequence[Kind], after: Sequence[Kind]) -> None:
    """Check that a step of `compile_steps` kept the dtypes and shapes of its state, as `kinds_of` returns them.

    Raises:
        ValueError: it returned another number of arrays, or changed a shape or dtype.
    """
    if len(after) != len(before):
        raise ValueError(f"compile_steps: the step was given {len(before)} state arrays and returned {len(after)}.")
    for i, (old, new) in enumerate(zip(before, after, strict=True)):
        if old != new:
            raise ValueError(
                f"compile_steps: expected the step to keep the shapes and dtypes of its state; state[{i}] went from "
                f"{old[0]}{list(old[1])} to {new[0]}{list(new[1])}. Cast or reshape what is assigned to it."
            )
