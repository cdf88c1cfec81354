"""A step in parts: the model's own work, the update of metrics, which may wait for several steps, and the logs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from polykeras.backend.steps import StepParts
from polykeras.variables import Variable, functionalize


@dataclass(frozen=True, slots=True)
class PlainParts:
    """A step in parts, as plain code over variables; see `StepParts`.

    Attributes:
        step: takes a batch, and returns the inputs of the metric update.
        update_metrics: takes those of one or several steps; None where no metric waits.
        logs: returns the logs.
        metrics_variables: returns the variables of `update_metrics` and `logs`.
    """

    step: Callable[[Any], Any]
    update_metrics: Callable[[Any], None] | None
    logs: Callable[[], dict[str, Any]]
    metrics_variables: Callable[[], list[Variable]]

    def pure(
        self, variables: Sequence[Variable], watched: Callable[[Callable[..., Any]], Callable[..., Any]]
    ) -> StepParts:
        """Return the parts as pure functions of a state, and of the metrics' part of it.

        Args:
            variables: the state.
            watched: returns code that notes when it runs.
        """
        places = {id(variable): place for place, variable in enumerate(variables)}
        known = [variable for variable in self.metrics_variables() if id(variable) in places]
        return StepParts(
            functionalize(watched(self.step), variables),
            [places[id(variable)] for variable in known],
            self.update_metrics and functionalize(watched(self.update_metrics), known),
            functionalize(watched(self.logs), known),
        )
