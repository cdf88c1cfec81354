"""Verification: compiled steps are compared with their plain form.

With `POLYKERAS_VERIFY=N`, or `polykeras.config.set_verify(N)`, each Nth chunk of steps runs three times from the same
state: as a chunk, as single compiled steps, and as plain Python on the same backend, without compilation, recording or
fast paths. Each compiled step is compared with a plain step from the same state, so that rounding does not add up and
the wrong step is known. The chunk is compared with the single steps. Training goes on from what the chunk gave. Without
verification nothing is spent: steps are wrapped, or not, when they are made. Where workers share each batch, the plain
form is that of one worker, on the whole batch: so code of a user that combines samples is found.

How far rounding goes is measured if it is not obvious. Adam divides by the size of the gradient, and so makes a whole
update of a gradient that is only rounding, as that of a bias before a batch normalization. If two results differ by
more than some units in the last place, the plain step therefore runs again from states and data that are moved by as
much. The difference is an error only if it is much greater than the differences of these runs.

If a plain step gives two results from one state, it draws random numbers of its own (`torch.rand`, `np.random`) or
changes Python's state. What differs then is not verified, and a warning says so once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from threading import RLock
from typing import Any, TypeAlias

import numpy as np

from polykeras import config, dtypes, fast
from polykeras.backend import registry
from polykeras.backend.native.location import on_host
from polykeras.common import nested
from polykeras.training.steps.checks.rounding import described, difference, moved, moved_tree, rounding
from polykeras.training.steps.checks.verification_messages import names_of, not_verified, wrong_step
from polykeras.training.steps.checks.wrapped import Snapshot, WrappedStep
from polykeras.training.steps.step import Step
from polykeras.variables import NewVariables, Scope, Variable, learn_state, put_back, read_state, unique

Outcome: TypeAlias = dict[str, np.ndarray]
"""What there is after a step, on the host, by name: variables, and logs or outputs."""
SAMPLES = 3  # how often the plain step runs from moved states, to see how far rounding goes
# A difference is an error if it is so many times as large as theirs. Adam squares gradients, also those that are only
# rounding, of which XLA makes some times as much as plain code.
BEYOND = 256
TOLD = 5  # differences in a message

# A verified chunk restores the state and runs again. No other thread may run one in between.
_turn = RLock()


def verified(step: Step, on_one_worker: Callable[[Any], Any]) -> Step:
    """Return a step that is verified, if verification is on and there is another form to compare it with.

    Args:
        step: what the trainer is to run.
        on_one_worker: the code of the step on one worker.
    """
    workers = step.plan.workers
    is_whole = workers.share_batches and workers.are_processes  # else a process has several devices, and no whole batch
    if not config.verify() or not (step.compiles or is_whole):
        return step
    return VerifiedStep(step, config.verify(), on_one_worker if is_whole else None)


class VerifiedStep(WrappedStep):
    """A step that is compared with its plain form.

    Args:
        step: see `WrappedStep`.
        each: one of so many chunks is verified.
        of_whole: what the step does on one worker, if several share its batches. It is the plain form then, and runs on
            the whole batch.
    """

    def __init__(self, step: Step, each: int, of_whole: Callable[[Any], Any] | None = None) -> None:
        super().__init__(step)
        self._of_whole = of_whole
        self._kind, self._each = step.plan.kind, each
        self._plain = registry.plain(self._backend)
        self._chunks = 0
        self._found: list[Variable] = []  # those that the plain step uses beside the model's
        self._knows_all = self._warned = False

    def run_rows(self, data: Any, indices: Any, start: int, stop: int) -> Any:
        """Run consecutive steps over rows of arrays.

        Raises:
            RuntimeError: the steps do not give what their Python code gives. The model is as it was before them.
        """
        if start == stop:
            return self._step.run_rows(data, indices, start, stop)
        run = lambda first, last: self._step.run_rows(data, indices, first, last)  # noqa: E731
        return self._run_chunk(run, lambda i: self._backend.rows(data, indices[i]), start, stop)

    def run_batch(self, batch: Any) -> Any:
        """Run one step on a batch. Raises: as `run_rows`."""
        run = lambda first, last: self._step.run_batch(batch)  # noqa: E731
        return self._run_chunk(run, lambda i: nested.map_structure(self._backend.place, batch), 0, 1)

    def run_batches(self, batches: Any, count: int) -> Any:
        """Run a step that changes nothing on each of several batches at once. Raises: as `run_rows`."""
        with _turn:
            outputs = self._step.run_batches(batches, count)
            if self._is_due():
                given = self._snapshot()
                for i in range(count):
                    batch = nested.map_structure(lambda leaf, i=i: self._backend.place(leaf[i]), batches)
                    found = self._outcome(nested.map_structure(lambda leaf, i=i: leaf[i], outputs), self._state())
                    self._compare_with_plain(found, given, batch, self._done + i)
            self._done += count
            return outputs

    def _is_due(self) -> bool:
        self._chunks += 1
        return self._chunks % self._each == 0

    def _run_chunk(self, run: Callable[[int, int], Any], batch: Callable[[int], Any], start: int, stop: int) -> Any:
        with _turn:
            logs = self._verified(run, batch, start, stop) if self._is_due() else run(start, stop)
            self._done += stop - start
            return logs

    def _verified(self, run: Callable[[int, int], Any], batch: Callable[[int], Any], start: int, stop: int) -> Any:
        """Run the steps of a chunk, and find out whether that was right.

        Args:
            run: takes the first step and the step after the last one, and runs compiled steps.
            batch: returns the batch of a step.
            start: the first step.
            stop: the step after the last one.
        """
        if not self._knows_all:
            self._plainly(self._snapshot(), self._whole(batch(start)))
            self._knows_all = True
        before = self._snapshot()
        try:
            if stop - start == 1:
                return self._single(run, batch, start, self._done)
            logs = run(start, stop)
            after = self._snapshot()
            put_back(before)
            for i in range(start, stop):
                self._single(run, batch, i, self._done + i - start)
            put_back(after)
            self._compare_chunk(run, self._outcome(logs, self._state()), before, start, stop)
        except BaseException:
            put_back(before)
            raise
        put_back(after)
        return logs

    def _single(self, run: Callable[[int, int], Any], batch: Callable[[int], Any], i: int, number: int) -> Any:
        """Run one compiled step, and compare it with the plain step."""
        given = self._snapshot()
        logs = run(i, i + 1)
        self._compare_with_plain(self._outcome(logs, self._state()), given, batch(i), number)
        return logs

    # ---- plain steps -------------------------------------------------------------------------------------------

    def _plainly(self, given: Snapshot, batch: Any) -> Outcome:
        """Return the outcome of a plain step that begins from a snapshot. Variables stay as they are.

        Arrays are copied, since native code in a step may change them in place.
        """
        values = {id(variable): location[1] for variable, location in given}

        def run() -> Outcome:
            state = self._state()
            others = [variable for variable in state if id(variable) not in values]
            values.update(zip(map(id, others), read_state(others, self._backend), strict=True))
            arrays = [self._backend.place(values[id(variable)]) for variable in state]
            with registry.use_backend(self._plain), fast.off(), Scope(state, arrays, closed=True) as scope:
                logs = (self._of_whole or self.code)(nested.map_structure(self._backend.place, batch))
                if scope.missing:
                    raise NewVariables(list(scope.missing.values()))
                return self._outcome(logs, state)  # within the scope: there, variables are as after the step

        return learn_state(run, self._found.extend, "A step of the model")

    def _whole(self, batch: Any) -> Any:
        """Return the batch of all workers, of the rows of this one."""
        if self._of_whole is None:
            return batch
        return nested.map_structure(self._backend.all_gather_rows, batch)

    def _state(self) -> list[Variable]:
        return unique([*super()._state(), *self._found])

    def _outcome(self, logs: Any, variables: Iterable[Variable]) -> Outcome:
        """Return the values of variables, and logs or outputs, by the names that messages use."""
        variables = list(variables)
        found: Outcome = dict(zip(names_of(variables), [variable.numpy() for variable in variables], strict=True))
        word = "output" if self._kind == "predict" else "log"
        for path, leaf in zip(nested.paths(logs), nested.flatten(logs), strict=True):
            host = self._backend.to_numpy(leaf) if self._backend.is_tensor(leaf) else leaf
            found[f"{word} {path}".rstrip()] = np.array(host)
        return found

    # ---- comparing ---------------------------------------------------------------------------------------------

    def _compare_with_plain(self, found: Outcome, given: Snapshot, batch: Any, number: int) -> None:
        def again(sample: int) -> Outcome:
            state, rows = self._moved(given, sample), moved_tree(batch, self._backend, sample, self._epsilon())
            return self._plainly(state, rows)

        batch = self._whole(batch)
        wrong = self._wrong(found, self._plainly(given, batch), given, again)
        if wrong:
            plain = "the step as plain Python" + (" on one worker" if self._of_whole else "")
            raise self._error(f"{self._kind} step {number} (counted from 0)", plain, wrong)

    def _compare_chunk(
        self, run: Callable[[int, int], Any], found: Outcome, before: Snapshot, start: int, stop: int
    ) -> None:
        """Compare the outcome of a chunk with that of its compiled steps, which are known to be right."""

        def one_by_one(snapshot: Snapshot, last: int) -> Outcome:
            put_back(snapshot)
            logs: Any = {}
            for i in range(start, last):
                logs = run(i, i + 1)
            return self._outcome(logs, self._state())

        def wrong_until(last: int) -> list[str]:
            put_back(before)
            logs = run(start, last)
            return wrong(self._outcome(logs, self._state()), last)

        def wrong(chunk: Outcome, last: int) -> list[str]:
            again = lambda sample: one_by_one(self._moved(before, sample), last)  # noqa: E731
            return self._wrong(chunk, one_by_one(before, last), before, again)

        differences = wrong(found, stop)
        if not differences:
            return
        right, bad = start + 1, stop  # a chunk of one step is that step
        while bad - right > 1:
            middle = (right + bad) // 2
            here = wrong_until(middle)
            right, bad, differences = (right, middle, here) if here else (middle, bad, differences)
        number = self._done + bad - 1 - start
        where = f"{self._kind} step {number} (counted from 0), run in one chunk with those from step {self._done} on"
        raise self._error(where, "the same compiled steps one by one", differences)

    def _wrong(self, found: Outcome, right: Outcome, given: Snapshot, again: Callable[[int], Outcome]) -> list[str]:
        """Return where an outcome is wrong, and by how much.

        Args:
            found: the outcome.
            right: the right outcome.
            given: the state before the steps.
            again: returns the right outcome again: for 0 from the same state, for other numbers from a moved one.
        """
        if found.keys() != right.keys():
            return [f"it gives {', '.join(sorted(found.keys() ^ right.keys()))} in only one of the two forms"]
        values = [on_host(value) if location is None else location.to_numpy(value) for _, (location, value) in given]
        before = dict(zip(names_of([variable for variable, _ in given]), values, strict=True))
        epsilon = self._epsilon()
        allowed = {name: rounding(value, before.get(name), epsilon) for name, value in right.items()}
        apart = {name: difference(found[name], right[name]) for name in right}
        apart = {name: by for name, by in apart.items() if by > allowed[name]}
        if not apart:
            return []
        samples = [again(sample) for sample in range(1 + SAMPLES)]
        spread = {name: [difference(sample[name], right[name]) for sample in samples] for name in apart}
        drawn = [name for name in apart if spread[name][0] > allowed[name]]
        if drawn:
            self._warn(drawn)
        limits = {name: allowed[name] + BEYOND * max(spread[name]) for name in apart if name not in drawn}
        wrong = [name for name, limit in limits.items() if apart[name] > limit]
        wrong.sort(key=lambda name: limits[name] / apart[name])  # what is furthest from rounding comes first
        told = [described(name, apart[name], limits[name], right[name], before.get(name)) for name in wrong[:TOLD]]
        return told + ([f"and so {len(wrong) - TOLD} others"] if len(wrong) > TOLD else [])

    def _epsilon(self) -> float:
        """Return the unit in the last place of 1, in the least precise dtype that the model computes in."""
        computed = {layer.compute_dtype for layer in self._model._flatten_layers()} | {v.dtype for v in self._state()}
        return max([dtypes.eps(name) for name in computed if name and dtypes.is_float(name)], default=2.0**-23)

    def _moved(self, given: Snapshot, sample: int) -> Snapshot:
        """Return a state that is moved by some units in the last place; for sample 0 the state itself."""
        if not sample:
            return given
        epsilon = self._epsilon()
        return [
            (variable, (location[0], moved(location[1], self._backend, (sample, i), epsilon)))
            for i, (variable, location) in enumerate(given)
        ]

    def _error(self, where: str, other: str, wrong: list[str]) -> RuntimeError:
        return wrong_step(self._backend.name, self._model.name, where, other, wrong, self._of_whole is not None)

    def _warn(self, names: list[str]) -> None:
        if self._warned:
            return
        self._warned = True
        warnings.warn(not_verified(self._kind, self._model.name, names), RuntimeWarning, stacklevel=2)
