"""Sums over the workers that share a batch. Outside of a shared step, each function here returns what it is given.

A step is written for one worker. What is a mean over samples needs nothing, as the mean over workers of these means is
that of the whole batch: `Optimizer.apply` takes it of the gradients. What is another function of several samples, such
as a variance, is computed from sums over workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras import dtypes, ops
from polykeras.backend import registry
from polykeras.backend.job import shared_step
from polykeras.backend.spec import Array
from polykeras.common import masks, nested


def workers() -> int:
    """Return the number of workers that share the batch of the step that runs."""
    shared = shared_step.get()
    return 1 if shared is None else shared.workers


def worker_index() -> Array:
    """Return the number of this worker among those that share the batch, a scalar int32; 0 outside of a shared step."""
    backend = registry.current()
    return backend.asarray(np.int32(0)) if shared_step.get() is None else backend.worker_index()


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
