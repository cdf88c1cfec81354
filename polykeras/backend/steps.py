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
    """A step in parts, for a backend that gains where metrics are updated, or logs computed, once for several steps.

    Attributes:
        step: the pure `(state, batch) -> (state, inputs)`; `inputs` is a tree of arrays with the batch's first axis,
            lent to `update_metrics` for the time of the call.
        places: of the part of the state that `update_metrics` and `compute_logs` know, that of the metrics.
        update_metrics: the pure `(part, inputs) -> (part, None)`: takes the inputs of one step, or of several, one
            after the other along the first axis. `step` neither reads nor changes what this changes, which is the same
            to the last bit, however the steps are grouped. None where there are no inputs.
        compute_logs: the pure `(part) -> (part, logs)`, which changes nothing: only after the last step do logs matter.
    """

    step: Step
    places: Sequence[int]
    update_metrics: Callable[[State, Any], tuple[State, None]] | None
    compute_logs: Callable[[State], tuple[State, Any]]

    def part(self, state: State) -> State:
        """Return the part of a state that `update_metrics` and `compute_logs` know."""
        return [state[place] for place in self.places]

    def exchange(self, state: State, part: State) -> None:
        """Put another such part into a state."""
        for place, value in zip(self.places, part, strict=True):
            state[place] = value

    def step_without_logs(self, state: State, batch: Any) -> tuple[State, dict[str, Any]]:
        """Do a step, and update the metrics: all but the logs, which `logs` gives later."""
        state, inputs = self.step(state, batch)
        if self.update_metrics is not None:
            self.exchange(state, self.update_metrics(self.part(state), inputs)[0])
        return state, {}

    def logs(self, state: State) -> Any:
        """Return the logs that a step would give after which the state is this one."""
        return self.compute_logs(self.part(state))[1]


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
