"""The workers of a run: how many share a batch, which rows this process has, and whether it writes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from polykeras.backend import Backend
from polykeras.common import nested
from polykeras.distribution.connections import current_job
from polykeras.distribution.strategies import distribution, weights_are_cut


@dataclass(frozen=True, slots=True)
class Workers:
    """The workers of a run, and which rows of a batch this process has: the rows `rank`, `rank + processes`, ...

    These rows do not depend on how many rows a batch has. A batch is shared if all workers get as many rows of it.

    Attributes:
        count: how many share a batch; more than processes if these have several devices.
        rank: the number of this process among those that share batches.
        processes: the number of these processes.
        cuts_streams: whether streams give whole batches, on each process the same. If not, they give its rows.
        cuts_weights: whether weights are cut over processes.
    """

    count: int = 1
    rank: int = 0
    processes: int = 1
    cuts_streams: bool = True
    cuts_weights: bool = False

    @property
    def share_batches(self) -> bool:
        """Whether each worker computes a part of a batch."""
        return self.count > 1

    @property
    def run_together(self) -> bool:
        """Whether each step of this process waits for those of others: they share its batch, or its weights."""
        return self.share_batches or self.cuts_weights

    @property
    def are_processes(self) -> bool:
        """Whether each worker is a process."""
        return self.count == self.processes

    def of_streams(self) -> Workers:
        """Return the workers that cut the batches of a stream: `ONE_WORKER` where streams give cut ones."""
        return self if self.cuts_streams else ONE_WORKER

    def divides(self, rows: int) -> bool:
        """Return whether a batch of so many rows can be shared."""
        return rows > 0 and rows % self.count == 0

    def columns(self, indices: np.ndarray) -> np.ndarray:
        """Return the row numbers that this process has, of row numbers `(steps, batch)`."""
        return indices if self.processes == 1 else np.ascontiguousarray(indices[:, self.rank :: self.processes])

    def cut(self, batch: Any) -> Any:
        """Return the rows that this process has of a batch, a tree of host arrays."""
        if self.processes == 1:
            return batch
        return nested.map_structure(lambda leaf: leaf[self.rank :: self.processes], batch)


ONE_WORKER = Workers()
"""Each process computes whole batches, whatever others do."""


def workers_of(backend: Backend) -> Workers:
    """Return the workers of a run on a backend, by the current distribution. Connects the backend.

    All processes ask, at the start of each run: `fit`, `evaluate`, or a step on one batch.

    Raises:
        ValueError: the backend cannot use the devices of the distribution.
        NotImplementedError: training cannot be distributed in this way.
    """
    current, job = distribution(), current_job()
    count = 1 if current is None else current.connect(backend)
    cuts_weights = weights_are_cut(backend)
    if current is None or count == 1:
        return Workers(cuts_weights=True) if cuts_weights else ONE_WORKER
    return Workers(count, job.rank, job.size, current.auto_shard_dataset, cuts_weights)


def is_first_worker() -> bool:
    """Return whether this process is the one that writes files and shows progress: alone, or the first of several.

    Callbacks ask also outside of a run, and so without its `Workers`.
    """
    return current_job().rank == 0 or (distribution() is None and not weights_are_cut())


def has_other_processes() -> bool:
    """Return whether this process trains together with others. See `is_first_worker`."""
    return current_job().size > 1 and (distribution() is not None or weights_are_cut())


def warn_on_first_process(message: str) -> None:
    """Warn, on the first process alone; all others have the same reason."""
    if current_job().rank == 0:
        warnings.warn(message, UserWarning, stacklevel=3)
