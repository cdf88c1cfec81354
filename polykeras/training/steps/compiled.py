"""A compiled step: it is traced with its state as an argument, and runs on a batch or over rows.

This is the one place where `train_step`, `test_step` and `predict_step`, plain code over variables, become functions
that a backend compiles.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from polykeras import dtypes
from polykeras.backend import Backend, value_lock
from polykeras.backend.execution_policy import BatchesRunner, CannotRunBatches
from polykeras.common import nested
from polykeras.common.reads import Reads, noted
from polykeras.training.interrupts import Uninterrupted
from polykeras.training.steps.collection import uncollected
from polykeras.training.steps.step import Step
from polykeras.variables import (
    Run,
    Variable,
    functionalize,
    learn_state,
    unique,
    write_changes,
    write_state,
)

if TYPE_CHECKING:
    from polykeras.training.steps.plan import StepPlan

MOST = 7  # programs that are kept beside the current ones, with the objects that they read
LARGE_OUTPUTS = 2**18  # bytes of a batch: larger outputs of several batches take memory, and no less time

_CHANGED = (
    "{} is changed by a step that is compiled. That happens when it is compiled, and not in each step: to count steps, "
    "use a keras.Variable and `assign_add`."
)
_OFTEN = (
    "{} has changed since a step read it. Each new value compiles the step again; this is value {}. Use a "
    "keras.Variable and `assign`, which compiles nothing."
)
_LOST = (
    "Where this came from a compiled step, and not from compiling it, memory of the model's state may have been given "
    "away already: its weights may be those of no step. Load them again, or let `fit` go on from the backup of a "
    "`BackupAndRestore`."
)


class CompiledStep(Step):
    """A step that is traced with its state as an argument, and compiled.

    Args:
        code: see `Step`.
        plan: see `Step`. The new state of a step that changes variables may use the memory of the old one. Predictions
            return only what they change, and may run in several threads.
    """

    def __init__(self, code: Callable[[Any], Any], plan: StepPlan) -> None:
        super().__init__(code, plan, plan.backend.execution.compiles)
        self._donate = plan.changes
        self._lay_out = plan.layouts.lay_out if plan.layouts is not None else None
        self._has_run = False
        # Whether the code has run to its end since it was last traced, and whether it runs now. Most errors are
        # mistakes in it. In both cases no memory has been given away yet.
        self._is_traced = self._in_code = False
        self._batches_refused = False  # whether `run_batches` raised `CannotRunBatches`
        self._programs = self._programs_over(plan.variables)
        self._stale: list[_Programs] = []  # which count again if what they read comes back; the latest comes last

    @property
    def variables(self) -> list[Variable]:
        """The state that the step is known to use so far."""
        return self._programs.variables

    # ---- tracing -----------------------------------------------------------------------------------------------

    def _programs_over(self, variables: Sequence[Variable]) -> _Programs:
        reads = Reads()
        return _Programs(partial(self._traced, reads), reads, unique(variables), self.plan, self._donate)

    def _traced(self, reads: Reads, batch: Any) -> Any:
        """Run the code while it is traced; note that it runs, and what it reads."""
        self._in_code = True
        if self._is_traced_over(batch):
            with noted(_functions_called(self.plan)) as trace:
                result = self.code(batch)
            if self._is_traced_over(batch):  # otherwise it runs each time after all
                for what in reads.add(trace):
                    warnings.warn(_CHANGED.format(what), RuntimeWarning, stacklevel=2)
        else:
            result = self.code(batch)
        self._in_code, self._is_traced = False, True  # not where it raises
        return result

    def _is_traced_over(self, batch: Any) -> bool:
        return any(map(self._backend.is_traced, nested.flatten(batch)))

    def _current_programs(self) -> _Programs:
        """Return programs that read what is so now: the last ones, others that are kept, or new ones."""
        last = self._programs
        if not last.reads.are_same():
            kept = next((old for old in reversed(self._stale) if old.reads.are_same()), None)
            if kept is None and len(self._stale) == MOST:
                what = ", ".join(last.reads.changed())
                warnings.warn(_OFTEN.format(what, MOST + 2), RuntimeWarning, stacklevel=2)
            self._stale = [old for old in (*self._stale, last) if old is not kept][-MOST:]
            self._programs = kept or self._programs_over(last.variables)
            self._has_run = self._is_traced = kept is not None
            if kept is None:
                self.sizes.compile_next()
        return self._programs

    def _execute(self, call: Callable[[_Programs, list[Any]], tuple[Any, Any]]) -> Any:
        programs = self._current_programs()
        if self._has_run:
            with Uninterrupted() if self._donate else nullcontext():
                return self._execute_or_trace(programs, call)
        with uncollected:  # the first call compiles, which may take long: Ctrl-C may interrupt it
            result = self._execute_or_trace(programs, call)
        self._has_run = True
        return result

    def _execute_or_trace(self, programs: _Programs, call: Callable[[_Programs, list[Any]], tuple[Any, Any]]) -> Any:
        def run() -> Any:
            self._in_code = False
            with Run(programs.variables, self._backend, self._donate, self._lay_out) as running:
                state, result = call(programs, running.values)
                with value_lock.lock:  # other runs see none of the new values or all
                    self._write(programs, running.values, state, result)
            return result

        def add(new: list[Variable]) -> None:
            nonlocal programs
            programs = self._programs = self._programs_over([*programs.variables, *new])
            self._is_traced = False

        try:
            return learn_state(run, add, "A step of the model")
        except (Exception, KeyboardInterrupt) as error:
            if self._is_traced and not self._in_code and self._donate and self._backend.execution.donates:
                error.add_note(_LOST)
            raise

    def _write(self, programs: _Programs, given: list[Any], state: Any, result: Any) -> None:
        if self._donate:
            write_state(programs.variables, state, self._backend)
        else:
            write_changes(programs.variables, given, state, result, self._backend)

    # ---- running -----------------------------------------------------------------------------------------------

    def place_data(self, data: Any) -> Any:
        """Return arrays for `run_rows` where the step wants them."""
        layouts = self.plan.layouts
        return data if layouts is None else nested.map_structure(layouts.whole, data)

    def run_rows(self, data: Any, indices: Any, start: int, stop: int) -> Any:
        """Run consecutive steps in one call of the backend."""
        return self._execute(lambda programs, state: programs.chunk(state, data, indices, start, stop))

    def run_batch(self, batch: Any) -> Any:
        """Run one step on a batch of host arrays."""
        return self._execute(lambda programs, state: programs.single(state, batch))

    def program(self, batch: Any, stage: str) -> str | None:
        """Return the program of `run_batch` as text."""

        def show(programs: _Programs, state: list[Any]) -> tuple[Any, str | None]:
            program = getattr(programs.single, "program", None)
            return state if self._donate else {}, program and program(stage, state, batch)

        return self._execute_or_trace(self._current_programs(), show)

    def can_run_batches(self) -> bool:
        """Return whether the backend has one program for several batches at once."""
        return not self._donate and not self._batches_refused and self._current_programs().batches is not None

    def run_batches(self, batches: Any, count: int) -> Any:
        """Run a step that changes nothing on each of several batches at once."""

        def call(programs: _Programs, state: list[Any]) -> tuple[Any, Any]:
            if programs.batches is None:
                raise CannotRunBatches(f"single calls are as good on {self._backend.name}")
            return {}, programs.batches(state, batches, count)

        try:
            return self._execute(call)
        except CannotRunBatches:
            self._batches_refused = True
            raise


def _functions_called(plan: StepPlan) -> list[Any]:
    """Return what a step calls that is in no attribute of a layer, a loss or the like; see `noted`."""
    if plan.kind == "call":
        return []
    of_variables = [part for v in plan.model.trainable_variables for part in (v.regularizer, v.constraint)]
    return [getattr(plan.model, f"{plan.kind}_step"), *of_variables]


class _Programs:
    """The pure function of a step over one list of variables, and what a backend makes of it when it is asked for.

    If more variables are found, or what it read has changed, the step gets a new object. Another thread that predicts
    may still run the old one.
    """

    def __init__(
        self, function: Callable[[Any], Any], reads: Reads, variables: list[Variable], plan: StepPlan, donate: bool
    ) -> None:
        self.reads = reads
        self.variables = variables
        self._pure = functionalize(function, variables, changes_only=not donate)
        self._backend, self._donate, self._collective = plan.backend, donate, plan.workers.share_batches

    @cached_property
    def chunk(self) -> Callable[..., Any]:
        """Runs consecutive steps over rows."""
        return self._backend.compile_steps(self._pure, self._collective)

    @cached_property
    def single(self) -> Callable[..., Any]:
        """Runs one step on a batch."""
        return self._backend.compile(self._pure, self._donate, self._collective)

    @cached_property
    def batches(self) -> BatchesRunner | None:
        """Runs a step on each of several batches at once; None where single calls are as good."""
        return self._backend.execution.compile_batches(_outputs_of(self._pure, self._backend))


def _outputs_of(
    pure: Callable[[list[Any], Any], tuple[dict[int, Any], Any]], backend: Backend
) -> Callable[[list[Any], Any], Any]:
    """Return a pure function that returns outputs only, for several batches at once.

    It raises `CannotRunBatches` while it is traced if it changes variables, or if an output has no rows or is large:
    the outputs of all batches need memory before the first one is computed.
    """

    def outputs_of(state: list[Any], batch: Any) -> Any:
        changes, outputs = pure(state, batch)
        if changes:
            raise CannotRunBatches("it changes variables")
        leaves = nested.flatten(outputs)
        if not all(map(np.ndim, leaves)):
            raise CannotRunBatches("it returns a scalar for each batch")
        if sum(dtypes.nbytes(backend.shape(x), backend.dtype(x)) for x in leaves) > LARGE_OUTPUTS:
            raise CannotRunBatches("its outputs are large")
        return outputs

    return outputs_of
