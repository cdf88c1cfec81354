"""One step of a model as plain Python."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from polykeras.common import nested
from polykeras.training.interrupts import Uninterrupted
from polykeras.training.steps.step import Step
from polykeras.variables import Run, Scope, Variable, unique

if TYPE_CHECKING:
    from polykeras.training.steps.plan import StepPlan


class EagerStep(Step):
    """A step that runs as plain Python, for `run_eagerly=True`: prints, breakpoints and native code work in it.

    Args:
        code: see `Step`.
        plan: see `Step`.
    """

    def __init__(self, code: Callable[[Any], Any], plan: StepPlan) -> None:
        super().__init__(code, plan, compiles=False)
        self._variables = unique(plan.variables)

    @property
    def variables(self) -> list[Variable]:
        """The state that the step may use."""
        return self._variables

    def run_rows(self, data: Any, indices: Any, start: int, stop: int) -> Any:
        """Run the steps one by one."""
        logs: Any = {}
        for i in range(start, stop):
            logs = self._run_one(self._backend.rows(data, indices[i]))
        return logs

    def run_batch(self, batch: Any) -> Any:
        """Run the step."""
        return self._run_one(nested.map_structure(self._backend.place, batch))  # native code may change it in place

    def _run_one(self, batch: Any) -> Any:
        location = self._backend.native.location
        if self.plan.layouts is not None:
            with Run(self._variables, self._backend, lay_out=self.plan.layouts.lay_out):
                pass
        # A step that fails changes no variable.
        with Scope() as scope, location.eager_step() if location else nullcontext():
            result = self.code(batch)
        with Uninterrupted():  # all of them or none
            for variable, value in zip(*scope.updates(), strict=True):
                variable.assign(value)
        return result
