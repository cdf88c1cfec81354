"""A model's steps as pure functions on the current backend, and chunks of them.

This is the one place where `train_step`, `test_step` and `predict_step`, which are plain code over variables, become
functions that a backend compiles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from polykeras import dtypes
from polykeras.backend import Backend
from polykeras.backend.execution import BatchesRunner, CannotMap
from polykeras.common import nested
from polykeras.common.lru_cache import LRUCache
from polykeras.training.chunks import ChunkSize
from polykeras.training.collection import uncollected
from polykeras.training.interrupts import Uninterrupted
from polykeras.training.rooms import Rooms
from polykeras.training.step_forms import Form
from polykeras.variables import (
    TRACES,
    NewVariables,
    Run,
    Scope,
    Variable,
    ever_new,
    unique,
    write_changes,
    write_state,
)

LARGE_OUTPUTS = 2**18  # bytes of a batch: several of them at once take memory, and more time than calls

_LOST = (
    "Where this came from a compiled step, and not from compiling it, memory of the model's state may have been given "
    "away already: its weights may be those of no step. Load them again, or let `fit` go on from the backup of a "
    "`BackupAndRestore`."
)


def shapes_of(batch: Any) -> tuple[Any, ...]:
    """Return what batches of one structure and of one shape in each part have in common."""
    leaves, definition = nested.flatten_with_def(batch)
    return (definition, *(leaf.shape for leaf in leaves))


class CompiledStep:
    """One step function of a model on one backend.

    Args:
        step: takes a batch, returns logs (or predictions).
        variables: the state it is known to use. What else it uses is found by tracing.
        backend: where it runs.
        donate: whether the memory of the state may be used for the new one. Not for prediction, which changes (almost)
            nothing, returns what it changes alone, and may happen in several threads.

    Attributes:
        step: the step that was given, as plain Python.
        log_names: the names in the order in which the step gave them; backends may return them in another one.
        fills: whether it takes filled batches, by what is known of a batch's shapes; see `polykeras.training.padding`.
    """

    def __init__(
        self,
        step: Callable[[Any], Any],
        variables: Sequence[Variable],
        backend: Backend,
        donate: bool = True,
    ) -> None:
        self._backend = backend
        self._donate = donate
        self._has_run = False
        self.log_names: list[str] = []
        self._chunk_sizes: LRUCache[ChunkSize] = LRUCache()  # by `shapes_of` a batch
        self._rooms: LRUCache[Rooms] = LRUCache()  # by the rows of a batch
        self.fills: LRUCache[bool] = LRUCache()
        self._maps = not donate
        self.step = self._noting(step)
        self._form = self._form_of(variables)

    @property
    def variables(self) -> list[Variable]:
        """The state that it is known to use by now."""
        return self._form.variables

    def chunk_size(self, batch: Any, fixed: int | None) -> ChunkSize:
        """Return what was learned of the length of chunks of batches like this one, or the length asked for."""
        if fixed:
            return ChunkSize(fixed)
        key = shapes_of(batch)
        return self._chunk_sizes.get(key) or self._chunk_sizes.put(key, ChunkSize())

    def room(self, batch: int, rows: int, steps: int) -> tuple[int, int]:
        """Return for how many rows, and indices of how many steps of `batch` rows, to make room; see `Rooms`."""
        if not self._backend.compiles_each_size:
            return rows, steps
        return (self._rooms.get(batch) or self._rooms.put(batch, Rooms())).fitting(rows, steps)

    def _form_of(self, variables: Sequence[Variable]) -> Form:
        return Form(self.step, unique(variables), not self._donate)

    def _noting(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*batch: Any) -> Any:
            result = step(*batch)
            if isinstance(result, dict):
                self.log_names = list(result)
            return result

        return noted

    def _run(self, run: Callable[[Form, list[Any]], tuple[Any, Any]]) -> Any:
        if self._has_run:
            with Uninterrupted() if self._donate else nullcontext():
                return self._run_or_trace(run)
        with uncollected():  # it is traced, and may be compiled for long: to be interrupted
            result = self._run_or_trace(run)
        self._has_run = True
        return result

    def _run_or_trace(self, run: Callable[[Form, list[Any]], tuple[Any, Any]]) -> Any:
        new: list[Variable] = []
        for _ in range(TRACES):
            form = self._form
            form.in_code = False
            try:
                with Run(form.variables, self._backend, self._donate) as running:
                    state, result = run(form, running.values)
                    running.finish(self._write, form, running.values, state, result)
                return result
            except NewVariables as found:
                new = found.variables
                self._form = self._form_of([*form.variables, *new])
            except (Exception, KeyboardInterrupt) as error:
                if form.is_traced and not form.in_code and self._donate and self._backend.donates():
                    error.add_note(_LOST)
                raise
        raise ever_new("A step of the model", new)

    def _write(self, form: Form, given: list[Any], state: Any, result: Any) -> None:
        if self._donate:
            write_state(form.variables, state, self._backend)
        else:
            write_changes(form.variables, given, state, result, self._backend)

    def run_rows(self, data: Any, indices: Any, start: int, stop: int) -> Any:
        """Run the steps `start` to `stop` over rows of arrays on the device; return the logs of the last one.

        Args:
            data: a tree of arrays, or what `Backend.ready_rows` made of one.
            indices: the rows of each step's batch, `(steps, batch)`.
            start: the first step.
            stop: the one after the last.
        """

        def run(form: Form, state: list[Any]) -> tuple[Any, Any]:
            if form.chunk is None:
                form.chunk = self._backend.compile_steps(form.pure)
            return form.chunk(state, data, indices, start, stop)

        return self._run(run)

    def compile_rows(self, data: Any, indices: Any) -> None:
        """Compile the steps over rows of arrays like these, whose values are not read; see `Backend.compiles_ahead`."""
        self.run_rows(data, indices, 0, 0)

    def run_batch(self, batch: Any) -> Any:
        """Run one step on a batch of host arrays; return its logs or predictions."""

        def run(form: Form, state: list[Any]) -> tuple[Any, Any]:
            if form.single is None:
                form.single = self._backend.compile(form.pure, donate_first=self._donate)
            return form.single(state, batch)

        return self._run(run)

    def maps(self) -> bool:
        """Return whether `run_batches` is worth trying: whether the backend has one program for several batches."""
        self._maps = self._maps and self._several(self._form) is not None
        return self._maps

    def _several(self, form: Form) -> BatchesRunner | None:
        if form.several is None:
            form.several = self._backend.compile_batches(_outputs_of(form.pure, self._backend))
        return form.several

    def run_batches(self, batches: Any, count: int) -> Any:
        """Run one step that changes nothing on each of several batches.

        Args:
            batches: a tree of arrays `(room, *shape of a batch)`.
            count: the number of batches, the first ones.

        Returns:
            What they returned, each leaf `(room, ...)`.

        Raises:
            CannotMap: they are to be run one by one, now and later.
        """

        def run(form: Form, state: list[Any]) -> tuple[Any, Any]:
            several = self._several(form)
            if several is None:
                raise CannotMap(f"single calls are as good on {self._backend.name}")
            return {}, several(state, batches, count)

        try:
            return self._run(run)
        except CannotMap:
            self._maps = False
            raise


def _outputs_of(
    pure: Callable[[list[Any], Any], tuple[dict[int, Any], Any]], backend: Backend
) -> Callable[[list[Any], Any], Any]:
    """Return a pure function for its outputs alone; it refuses to change a state, and to give what has no or long rows.

    There is room for the outputs of several batches before the first one is computed.
    """

    def outputs_of(state: list[Any], batch: Any) -> Any:
        changes, outputs = pure(state, batch)
        if changes:
            raise CannotMap("it changes variables")
        leaves = nested.flatten(outputs)
        if not all(map(np.ndim, leaves)):
            raise CannotMap("it returns a scalar for each batch")
        if sum(dtypes.nbytes(backend.shape(x), backend.dtype(x)) for x in leaves) > LARGE_OUTPUTS:
            raise CannotMap("its outputs are large")
        return outputs

    return outputs_of


class EagerStep(CompiledStep):
    """A step that runs as plain Python, for `run_eagerly=True`: prints, breakpoints and native code work in it."""

    def maps(self) -> bool:
        """Return False: nothing is compiled."""
        return False

    def room(self, batch: int, rows: int, steps: int) -> tuple[int, int]:
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
        with (
            Scope() as scope,
            location.in_step() if location else nullcontext(),
        ):  # a step that fails changes no variable
            result = self.step(batch)
        with Uninterrupted():  # all of them or none
            for variable, value in zip(*scope.updates(), strict=True):
                variable.assign(value)
        return result
