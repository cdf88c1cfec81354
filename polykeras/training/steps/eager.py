"""One step of a model as plain Python."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from polykeras.common import nested
from polykeras.training.interrupts import Uninterrupted
from polykeras.training.steps.compiled import CompiledStep
from polykeras.variables import Scope


class EagerStep(CompiledStep):
    """A step that runs as plain Python, for `run_eagerly=True`: prints, breakpoints and native code work in it."""

    is_eager = True

    def program(self, batch: Any, stage: str) -> str | None:
        """Return None: nothing is compiled."""
        return None

    def maps(self) -> bool:
        """Return False: nothing is compiled."""
        return False

    def bucket(self, batch: int, rows: int, steps: int) -> tuple[int, int]:
        """Return what is needed: nothing is compiled."""
        return rows, steps

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
        # A step that fails changes no variable.
        with Scope() as scope, location.eager_step() if location else nullcontext():
            result = self.step(batch)
        if isinstance(result, dict):
            self.log_names = list(result)
        with Uninterrupted():  # all of them or none
            for variable, value in zip(*scope.updates(), strict=True):
                variable.assign(value)
        return result
