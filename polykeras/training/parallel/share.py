"""Which rows of a batch this process computes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from polykeras.backend import Backend
from polykeras.common import nested
from polykeras.distribution.connections import current_job
from polykeras.distribution.model_parallel import weights_are_cut
from polykeras.distribution.strategies import distribution, workers_of_run
from polykeras.training.data.sources import Source
from polykeras.training.data.streams import StreamSource


@dataclass(frozen=True, slots=True)
class Share:
    """The share that this process has of each batch: the rows `rank`, `rank + processes`, ...

    These rows do not depend on how many rows a batch has. A batch is shared if all workers get as many rows of it.

    Attributes:
        rank: the number of this process.
        processes: the number of processes.
        workers: the number of workers; more than processes if these have several devices.
        cuts_streams: whether streams give whole batches, on each process the same. If not, they give its share.
    """

    rank: int
    processes: int
    workers: int
    cuts_streams: bool = True

    def divides(self, rows: int) -> bool:
        """Return whether a batch of so many rows can be shared."""
        return rows > 0 and rows % self.workers == 0

    def columns(self, indices: np.ndarray) -> np.ndarray:
        """Return the row numbers of this process's share, of row numbers `(steps, batch)`."""
        return np.ascontiguousarray(indices[:, self.rank :: self.processes])

    def cut(self, batch: Any) -> Any:
        """Return the share of this process of a batch, a tree of host arrays."""
        return nested.map_structure(lambda leaf: leaf[self.rank :: self.processes], batch)


def rows_of(batch: Any) -> int:
    """Return the number of rows of a batch, a tree of host arrays; 0 if its arrays do not have as many."""
    sizes = {len(leaf) if np.ndim(leaf) else 0 for leaf in nested.flatten(batch)}
    return sizes.pop() if len(sizes) == 1 else 0


def share_on(backend: Backend) -> Share | None:
    """Return the share of this process on a backend; None if it computes whole batches."""
    workers = workers_of_run(backend)
    current = distribution()
    if current is None and current_job().size > 1:
        _warn(
            f"This process is one of {current_job().size}, but no distribution is set: it trains by itself, and the "
            "others too. Call `keras.distribution.set_distribution(keras.distribution.DataParallel())`."
        )
    if current is None or workers == 1:
        return None
    job = current_job()
    return Share(job.rank, job.size, workers, current.auto_shard_dataset)


def steps_run_together(backend: Backend) -> bool:
    """Return whether each step of this process waits for those of others: they share its batch, or its weights."""
    return share_on(backend) is not None or weights_are_cut(backend)


def is_first_worker() -> bool:
    """Return whether this process is the one that writes files and shows progress: alone, or the first of several."""
    return current_job().rank == 0 or (distribution() is None and not weights_are_cut())


def has_other_processes() -> bool:
    """Return whether this process trains together with others."""
    return current_job().size > 1 and (distribution() is not None or weights_are_cut())


def share_of(backend: Backend, source: Source) -> Share | None:
    """Return the share of this process of the batches of a source; None if it computes whole ones.

    Warns:
        UserWarning: there are several workers, but they cannot share these batches; or each reads all of them.
    """
    share = share_on(backend)
    if share is None:
        return None
    if isinstance(source, StreamSource):
        if not share.cuts_streams:
            return share
        _warn(
            f"Each of the {share.processes} processes reads the whole stream of batches, and takes its rows of each. "
            f"Let each read its share, if reading is slow: DataParallel(auto_shard_dataset=False), with batches of "
            f"1/{share.processes} of the rows."
        )
    rows = rows_of(source.first_batch())
    if share.divides(rows):
        return share
    if rows:
        even = -(-rows // share.workers) * share.workers
        why, hint = f"{rows} samples", f"Pass a batch_size that {share.workers} divides, for instance {even}."
    else:
        why, hint = "arrays of different lengths", "Give each array a row for each sample."
    _warn(f"Batches of {why} cannot be shared evenly by {share.workers} workers, so each computes all of them. {hint}")
    return None


def _warn(message: str) -> None:
    """Warn, on the first worker alone."""
    if current_job().rank == 0:
        warnings.warn(message, UserWarning, stacklevel=3)
