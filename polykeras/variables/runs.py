"""Runs of compiled steps on the arrays of variables, in several threads at once.

A run that donates its state leaves variables without a value until they get new ones. Other threads that read these
variables wait for that moment, and see all of the old values or all of the new ones. A run that finds others at work,
or waiting, donates copies, so that nobody waits for it. So threads may predict with a model at any time while another
one trains it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from polykeras.backend import value_lock
from polykeras.backend.native.location import note_access
from polykeras.backend.scopes import current_scope

if TYPE_CHECKING:
    from polykeras.backend import Backend
    from polykeras.variables.variable import Variable

R = TypeVar("R")

LONGEST = 600.0  # seconds to wait: a chunk of steps takes a tenth of one, compiling it may take minutes
_TRACES = 10  # how often code is traced to learn its variables, before it is taken to make new ones each time

_changed = threading.Condition(value_lock.lock)
_runs: list[Run] = []  # of all threads


def _forget_threads() -> None:
    """Forget the other threads: a forked process has none of them, whatever they held."""
    global _changed
    value_lock.renew()
    _changed = threading.Condition(value_lock.lock)
    _runs.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


class NewVariables(Exception):
    """Raised by a pure function that met variables which are not part of its state.

    The caller adds them to the state and traces again; users never see it.
    """

    def __init__(self, variables: list[Variable]) -> None:
        super().__init__(f"{len(variables)} variables are not part of the state.")
        self.variables = variables


def learn_state(run: Callable[[], R], add: Callable[[list[Variable]], None], name: str) -> R:
    """Run a function; where it met variables that are not part of its state, add them, and run it again.

    Args:
        run: what runs; may raise `NewVariables`.
        add: takes new variables, and adds them to the state of the next `run`.
        name: of the function, for the message.

    Returns:
        What `run` returned.

    Raises:
        RuntimeError: it met new variables each time.
    """
    new: list[Variable] = []
    for _ in range(_TRACES):
        try:
            return run()
        except NewVariables as found:
            new = found.variables
            add(new)
    raise RuntimeError(
        f"{name} makes new variables each time that it runs, the last ones {[v.path for v in new]}. Make them once, "
        "outside of it or in the `build` of a layer, and use those."
    )


def others_run() -> bool:
    """Return whether another thread has a run, on any variables. The caller holds the lock of values."""
    return bool(_runs) and any(run.thread != threading.get_ident() for run in _runs)


class Run:
    """The context of one run.

    Args:
        variables: the state of what runs.
        backend: where it runs.
        donate: whether it donates its state, and gives all of the variables new values.
        lay_out: called for each variable before its value is taken, to have it lie where it is wanted.

    Attributes:
        values: the variables' values, the arguments of what runs.
        thread: the identifier of the thread that runs it.
    """

    __slots__ = ("_backend", "_donates", "_in_place", "_lay_out", "_variables", "thread", "values")

    def __init__(
        self,
        variables: Sequence[Variable],
        backend: Backend,
        donate: bool = False,
        lay_out: Callable[[Variable], None] | None = None,
    ) -> None:
        self._variables = variables
        self._backend = backend
        self._donates = donate
        self._lay_out = lay_out
        self._in_place = False  # whether the variables hold the arrays that are donated
        self.thread = threading.get_ident()
        self.values: list[Any] = []

    def __enter__(self) -> Run:
        scope = current_scope.get()
        if scope is not None:  # the state is that of a function around it
            self.values = [scope.read(variable) for variable in self._variables]
            return self
        note_access(self._backend, self._variables)
        with value_lock.lock:
            others = self._others()
            try:
                _runs.append(self)  # from now on nobody donates what is in use here
                self.values = self._taken(others)
            except BaseException:
                self._leave()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with value_lock.lock:
            self._leave()

    def _leave(self) -> None:
        if self in _runs:
            _runs.remove(self)
            _changed.notify_all()

    def _others(self) -> list[Run]:
        """Return the runs of other threads that share variables with this one."""
        elsewhere = [run for run in _runs if run.thread != self.thread]
        if not elsewhere:
            return []
        own = set(map(id, self._variables))
        return [run for run in elsewhere if not own.isdisjoint(map(id, run._variables))]

    def _taken(self, others: list[Run]) -> list[Any]:
        """Return the variables' values, in memory that may be donated if this run donates."""
        if others:
            self._wait(others)
        if self._lay_out is not None:
            for variable in self._variables:
                self._lay_out(variable)
        if self._donates and not self._others():  # asked again: others may have come while this one waited
            self._in_place = self._backend.execution.donates
            return [variable._donatable_value(self._backend) for variable in self._variables]
        values = [variable.detached_value(self._backend) for variable in self._variables]
        return [self._backend.place(value) for value in values] if self._donates else values

    def _wait(self, others: list[Run]) -> None:
        """Wait for the runs that donated what the variables hold, and if this run donates, for all that do."""

        def is_free() -> bool:
            return not any(run in _runs and (run._in_place or (self._donates and run._donates)) for run in others)

        if not _changed.wait_for(is_free, LONGEST):
            raise RuntimeError(
                f"Waited {LONGEST:.0f} s for another thread to end its step on the same variables. A step must not "
                "wait for something that reads the variables that it trains: read them before it begins."
            )
