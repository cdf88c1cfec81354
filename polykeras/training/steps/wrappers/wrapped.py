"""A step around another one, which it runs and checks: what the nan guard and the verification of steps share."""

from __future__ import annotations

from typing import Any

from polykeras.backend import Backend
from polykeras.training.chunks import ChunkSize
from polykeras.training.steps.compiled import CompiledStep
from polykeras.variables import Variable, kept_values, read_state, unique


class WrappedStep(CompiledStep):
    """A step around another one, which is asked for all that is not here.

    Args:
        step: the step.
        model: whose step it is.
        backend: where it runs.
    """

    def __init__(self, step: CompiledStep, model: Any, backend: Backend) -> None:
        self._step, self._model, self._backend = step, model, backend
        self.is_eager = step.is_eager
        self._done = 0  # steps of the pass over the data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._step, name)

    def chunk_size(self, batch: Any, fixed: int | None) -> ChunkSize:
        """Begin to count the steps of a pass over the data."""
        self._done = 0
        return self._step.chunk_size(batch, fixed)

    def bucket(self, batch: int, rows: int, steps: int) -> tuple[int, int]:
        """Return what `CompiledStep.bucket` does."""
        return self._step.bucket(batch, rows, steps)

    def run_rows(self, data: Any, indices: Any, start: int, stop: int) -> Any:
        """Run steps as `CompiledStep.run_rows` does."""
        raise NotImplementedError

    def run_batch(self, batch: Any) -> Any:
        """Run a step as `CompiledStep.run_batch` does."""
        raise NotImplementedError

    def program(self, batch: Any, stage: str) -> str | None:
        """Return what `CompiledStep.program` does."""
        return self._step.program(batch, stage)

    def maps(self) -> bool:
        """Return what `CompiledStep.maps` does."""
        return self._step.maps()

    def run_batches(self, batches: Any, count: int) -> Any:
        """Run steps as `CompiledStep.run_batches` does."""
        return self._step.run_batches(batches, count)

    def _state(self) -> list[Variable]:
        """Return all that the step may read or change, as far as it is known."""
        return unique([*self._model._all_variables(), *self._step.variables])

    def _kept(self) -> list[tuple[Variable, Any]]:
        """Return what these variables hold, for `put_back`."""
        variables = self._state()
        read_state(variables, self._backend)  # so that what is kept lies where the step runs
        return kept_values(variables)


class ResettingStep(WrappedStep):
    """A step on one batch before which the metrics of the model begin anew."""

    def run_batch(self, batch: Any) -> Any:
        """Run a step as `CompiledStep.run_batch` does."""
        self._model.reset_metrics()
        return self._step.run_batch(batch)
