"""Sums over the workers that share a batch. Outside of a shared step, each function here returns what it is given.

A step is written for one worker. What is a mean over samples needs nothing, as the mean over workers of these means is
that of the whole batch: `Optimizer.apply` takes it of the gradients. What is another function of several samples, such
as a variance, is computed from sums over workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from polykeras import dtypes, ops
from polykeras.backend import registry
from polykeras.backend.job import shared_step
from polykeras.backend.spec import Array
from polykeras.common import masks, nested
from polykeras.variables import Variable


def workers() -> int:
    """Return the number of workers that share the batch of the step that runs."""
    shared = shared_step.get()
    return 1 if shared is None else shared.workers


def sum_over_workers(x: Array) -> Array:
    """Return the sum of an array over the workers, a float or integer array. It can be differentiated."""
    return x if shared_step.get() is None else registry.current().all_reduce([x])[0]


def mean_over_workers(arrays: Sequence[Array]) -> list[Array]:
    """Return the means of float arrays over the workers, as of gradients. They can be differentiated.

    Args:
        arrays: of the same shapes on all workers.
    """
    return list(arrays) if shared_step.get() is None else registry.current().all_reduce(arrays, "mean")


def whole_batch(tree: Any) -> Any:
    """Return what a worker has of its samples for all samples, in their order in the whole batch.

    Args:
        tree: of arrays. Those with a row for each sample of this worker get the rows of all, and keep their masks;
            floats without an axis become means over the workers; others stay.
    """
    shared, backend = shared_step.get(), registry.current()
    if shared is None:
        return tree

    def whole(x: Any) -> Any:
        if not backend.is_tensor(x):
            return x
        shape = backend.shape(x)
        if not shape:
            return mean_over_workers([x])[0] if dtypes.is_float(backend.dtype(x)) else x
        if shape[0] != shared.rows:
            return x
        found = backend.all_gather_rows(x)
        mask = masks.kept(x)
        if mask is not None:
            masks.keep(found, whole(mask))
        return found

    return nested.map_structure(whole, tree)


def needs_whole_batch(what: str) -> None:
    """Raise if workers share the batch.

    Args:
        what: what compares samples, such as `"The circle loss"`.

    Raises:
        ValueError: they do.
    """
    if workers() > 1:
        raise ValueError(
            f"{what} compares all samples of a batch with one another, and {workers()} workers share the batch: none "
            "of them has all samples. Train on one worker, or use another one."
        )


def part_of_mean(total: Array, count: Array, least: float | None = None) -> Array:
    """Return a worker's part of `total / count`, where both are sums over the samples of all workers.

    The mean of the parts over workers is that quotient.

    Args:
        total: the sum over the samples of this worker.
        count: the same of the divisor.
        least: the least divisor; None gives 0 for a divisor of 0.
    """
    divisor = sum_over_workers(count)
    if workers() > 1:
        total = total * float(workers())
    return ops.divide_no_nan(total, divisor) if least is None else total / ops.maximum(divisor, least)


# ---- what waits for the next journey ------------------------------------------------------------------------------


_Waiting = list[tuple[list[Array], Callable[[Sequence[Array]], None]]]
"""Arrays that are to be summed over workers in a step and were not sent yet, each list with what takes its sums. One
journey costs less than several."""

_waiting: ContextVar[_Waiting | None] = ContextVar("polykeras_waiting_sums", default=None)
_updated: ContextVar[frozenset[int]] = ContextVar("polykeras_updated_metrics", default=frozenset())  # by identity
_applying: ContextVar[bool] = ContextVar("polykeras_applying_gradients", default=False)


def are_added_up(variables: Sequence[Variable]) -> bool:
    """Return whether this is within `added_up` of all of these variables."""
    return {id(variable) for variable in variables} <= _updated.get()


@contextmanager
def shared_sums() -> Iterator[None]:
    """The context of one shared step. What still waits at its end is sent then."""
    token = _waiting.set([])
    try:
        yield
        send()
    finally:
        _waiting.reset(token)


def send(arrays: Sequence[Array] = ()) -> list[Array]:
    """Return sums over workers of arrays; what waits is summed with them.

    Args:
        arrays: floats or integers.
    """
    waiting = _waiting.get()
    if waiting is None:
        return list(arrays)
    parts = waiting.copy()
    waiting.clear()
    sums = registry.current().all_reduce([*arrays, *(x for part, _ in parts for x in part)])
    place = len(arrays)
    for part, receive in parts:
        receive(sums[place : place + len(part)])
        place += len(part)
    return sums[: len(arrays)]


@contextmanager
def added_up(variables: Sequence[Variable], waits: bool = False) -> Iterator[None]:
    """A context in which metrics are updated: each worker adds its samples, and the variables get those of all.

    Args:
        variables: the state of the metrics. `Variable.aggregation` says what all workers' values become: their sum,
            their mean, or the value of the first worker.
        waits: whether the sums are sent with the next ones. Until then, the variables have the samples of this worker
            alone.
    """
    waiting = _waiting.get()
    if waiting is None or are_added_up(variables):
        yield
        return
    before = [variable.value for variable in variables]
    backend = registry.current()
    token = _updated.set(_updated.get() | set(map(id, variables)))
    try:
        yield
    finally:
        _updated.reset(token)
    is_first = backend.equal(backend.worker_index(), 0)

    def own(variable: Variable, old: Array) -> Array:
        value = variable.value
        if variable.aggregation == "sum":
            return backend.subtract(value, old)
        return value if variable.aggregation == "mean" else backend.where(is_first, value, backend.zeros_like(value))

    def receive(sums: Sequence[Array]) -> None:
        for variable, value, total in zip(variables, before, sums, strict=True):
            if variable.aggregation == "sum":
                total = value + total
            elif variable.aggregation == "mean":
                total = total / workers()
            variable.assign(total)

    waiting.append((list(map(own, variables, before)), receive))
    if not waits:
        send()


@contextmanager
def averaged(gradients: Sequence[Any]) -> Iterator[list[Any]]:
    """The context of an update of weights; it gives the means of gradients over workers.

    Within another such context, they are means already, as an optimizer may hold others.

    Args:
        gradients: arrays; None for those that are missing.
    """
    if _waiting.get() is None or _applying.get():
        yield list(gradients)
        return
    found = [i for i, gradient in enumerate(gradients) if gradient is not None]
    sums = send([gradients[i] for i in found])
    means = dict(zip(found, (total / workers() for total in sums), strict=True))
    token = _applying.set(True)
    try:
        yield [means.get(i) for i in range(len(gradients))]
    finally:
        _applying.reset(token)
