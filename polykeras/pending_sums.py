"""Sums over workers that wait for one another: what a shared step adds up travels in as few sums as possible.

The states of metrics wait for the gradients. Outside of a shared step, nothing here has an effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from polykeras.backend import registry
from polykeras.backend.spec import Array
from polykeras.collectives import workers
from polykeras.variables import Variable


class _PendingSums:
    """The arrays of one shared step that were not sent yet.

    Attributes:
        parts: lists of arrays, each with what takes their sums over workers.
        updated: the variables of the metrics that are being updated, by identity.
        is_applying: whether gradients are being applied, which are means over workers already.
    """

    def __init__(self) -> None:
        self.parts: list[tuple[list[Array], Callable[[Sequence[Array]], None]]] = []
        self.updated: frozenset[int] = frozenset()
        self.is_applying = False

    def send(self, arrays: Sequence[Array]) -> list[Array]:
        """Return sums over workers of arrays; all that waits is summed with them."""
        parts, self.parts = self.parts, []
        sums = registry.current().all_reduce([*arrays, *(x for part, _ in parts for x in part)])
        place = len(arrays)
        for part, receive in parts:
            receive(sums[place : place + len(part)])
            place += len(part)
        return sums[: len(arrays)]


_pending: ContextVar[_PendingSums | None] = ContextVar("polykeras_pending_sums", default=None)


@contextmanager
def pending_sums() -> Iterator[None]:
    """The context of one shared step. What still waits at its end is sent then."""
    token = _pending.set(_PendingSums())
    try:
        yield
        send()
    finally:
        _pending.reset(token)


def send(arrays: Sequence[Array] = ()) -> list[Array]:
    """Return sums over workers of arrays; what waits is summed with them.

    Args:
        arrays: floats or integers.
    """
    pending = _pending.get()
    return list(arrays) if pending is None else pending.send(arrays)


def are_added_up(variables: Sequence[Variable]) -> bool:
    """Return whether this is within `added_up` of all of these variables."""
    pending = _pending.get()
    return pending is not None and {id(variable) for variable in variables} <= pending.updated


@contextmanager
def added_up(variables: Sequence[Variable], waits: bool = False) -> Iterator[None]:
    """A context in which metrics are updated: each worker adds its samples, and the variables get those of all.

    Args:
        variables: the state of the metrics. `Variable.aggregation` says what all workers' values become: their sum,
            their mean, or the value of the first worker.
        waits: whether the sums are sent with the next ones. Until then, the variables have the samples of this worker
            alone.
    """
    pending = _pending.get()
    if pending is None or are_added_up(variables):
        yield
        return
    before = [variable.value for variable in variables]
    outer = pending.updated
    pending.updated |= set(map(id, variables))
    try:
        yield
    finally:
        pending.updated = outer
    combine(variables, before, [variable.aggregation for variable in variables])
    if not waits:
        send()


def combine(variables: Sequence[Variable], before: Sequence[Array], rules: Sequence[str | None]) -> None:
    """Let variables, which each worker has changed, get one value on all workers with the next sums that are sent.

    Args:
        variables: they have the values of this worker.
        before: the values that they had on all workers.
        rules: of each variable what its value becomes: `"sum"` of all changes, `"mean"` of the workers' values, or
            anything else for the value of the first worker.
    """
    backend = registry.current()

    def own(variable: Variable, old: Array, rule: str | None) -> Array:
        value = variable.value
        if rule == "sum":
            return backend.subtract(value, old)
        if rule == "mean":
            return value
        return backend.where(backend.equal(backend.worker_index(), 0), value, backend.zeros_like(value))

    def receive(sums: Sequence[Array]) -> None:
        for variable, old, rule, total in zip(variables, before, rules, sums, strict=True):
            if rule == "sum":
                total = old + total
            elif rule == "mean":
                total = total / workers()
            variable.assign(total)

    pending = _pending.get()
    assert pending is not None, "sums wait within a shared step alone"
    pending.parts.append((list(map(own, variables, before, rules)), receive))


@contextmanager
def averaged(gradients: Sequence[Any]) -> Iterator[list[Any]]:
    """The context of an update of weights; it gives the means of gradients over workers.

    Within another such context, they are means already, as an optimizer may hold others.

    Args:
        gradients: arrays; None for those that are missing.
    """
    pending = _pending.get()
    if pending is None or pending.is_applying:
        yield list(gradients)
        return
    found = [i for i, gradient in enumerate(gradients) if gradient is not None]
    sums = pending.send([gradients[i] for i in found])
    means = dict(zip(found, (total / workers() for total in sums), strict=True))
    pending.is_applying = True
    try:
        yield [means.get(i) for i in range(len(gradients))]
    finally:
        pending.is_applying = False
