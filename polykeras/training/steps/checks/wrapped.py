"""A step around another one: what the nan guard and the verification of steps share."""

from __future__ import annotations

from typing import Any, TypeAlias

from polykeras.training.steps.step import Step
from polykeras.variables import Variable, kept_values, read_state, unique

Snapshot: TypeAlias = list[tuple[Variable, Any]]
"""What variables hold at one moment, by `kept_values`."""


class WrappedStep(Step):
    """A step around another one, which does what a subclass does not override.

    Args:
        step: the step inside.
    """

    def __init__(self, step: Step) -> None:
        super().__init__(step.code, step.plan, step.compiles)
        self._step, self._model = step, step.plan.model
        self.sizes = step.sizes
        self._done = 0  # steps of the pass over the data

    @property
    def variables(self) -> list[Variable]:
        """The state that the step inside is known to use so far."""
        return self._step.variables

    def begin_pass(self, done: int = 0) -> None:
        """Begin to count the steps of a pass over the data."""
        self._done = done
        self._step.begin_pass(done)

    def place_data(self, data: Any) -> Any:
        """Return arrays where the step inside wants them."""
        return self._step.place_data(data)

    def run_rows(self, data: Any, indices: Any, start: int, stop: int) -> Any:
        """Run consecutive steps over rows of arrays."""
        return self._step.run_rows(data, indices, start, stop)

    def run_batch(self, batch: Any) -> Any:
        """Run one step on a batch."""
        return self._step.run_batch(batch)

    def can_run_batches(self) -> bool:
        """Return whether `run_batches` is worth a try."""
        return self._step.can_run_batches()

    def run_batches(self, batches: Any, count: int) -> Any:
        """Run a step that changes nothing on each of several batches at once."""
        return self._step.run_batches(batches, count)

    def program(self, batch: Any, stage: str) -> str | None:
        """Return the program of the step inside."""
        return self._step.program(batch, stage)

    def _state(self) -> list[Variable]:
        """Return all that the step may read or change, as far as it is known."""
        return unique([*self._model._all_variables(), *self.variables])

    def _snapshot(self) -> Snapshot:
        """Return what these variables hold, for `put_back`."""
        variables = self._state()
        read_state(variables, self._backend)  # so that the values lie where the step runs
        return kept_values(variables)
