"""Weights that several processes have parts of, whole for what one process does alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np

from polykeras.backend import Backend, registry
from polykeras.backend.scopes import Scope
from polykeras.distribution.connections import backends_of_parts, current_job
from polykeras.distribution.strategies import weights_are_cut
from polykeras.variables import Variable, unique


@contextmanager
def whole_on_first_worker(variables: Callable[[], Iterable[Variable]]) -> Iterator[bool]:
    """Let worker 0 read whole weights within a `with` block, as it does to write a file. All workers must call this.

    They gather the weights one by one, to the memory of worker 0's host, and leave the block together: the file is
    there for all.

    Args:
        variables: returns those that will be read. It is called only if weights are cut over processes.

    Yields:
        Whether this process is to read. It is True on all processes if each has whole weights.

    Raises:
        RuntimeError: on the other workers, if worker 0 fails.
    """
    if not weights_are_cut():
        yield True
        return
    backend = next(reversed(backends_of_parts()), registry.current())  # where all processes can meet
    is_first = current_job().rank == 0
    gathered, values = unique(variables()), []
    for variable in gathered:
        value = variable.numpy()  # of which the others keep nothing
        if is_first:
            values.append(value)
    try:
        if is_first:
            with registry.use_backend("numpy"), Scope(gathered, values):
                yield True
        else:
            yield False
    except BaseException:
        _failures(backend, 1)
        raise
    if _failures(backend, 0):
        raise RuntimeError("Worker 0 could not write the file. Its own output says why.")


def _failures(backend: Backend, own: int) -> int:
    """Return how many workers failed. All wait for one another here."""
    return int(backend.to_numpy(backend.all_reduce([backend.asarray(np.int32(own))])[0]))
