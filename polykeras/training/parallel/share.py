"""Which batches of a source workers share."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras.common import nested
from polykeras.distribution.workers import ONE_WORKER, Workers, warn_on_first_process
from polykeras.training.data.sources import Source
from polykeras.training.data.streams import StreamSource


def rows_of(batch: Any) -> int:
    """Return the number of rows of a batch, a tree of host arrays; 0 if its arrays do not have as many."""
    sizes = {len(leaf) if np.ndim(leaf) else 0 for leaf in nested.flatten(batch)}
    return sizes.pop() if len(sizes) == 1 else 0


def sharing(workers: Workers, source: Source) -> Workers:
    """Return the workers that share the batches of a source: `ONE_WORKER` if each computes whole ones.

    Args:
        workers: those of the run.
        source: the data.

    Warns:
        UserWarning: there are several workers, but they cannot share these batches; or each reads all of them.
    """
    if not workers.share_batches:
        return ONE_WORKER
    if isinstance(source, StreamSource):
        if not workers.cuts_streams:
            return workers
        warn_on_first_process(
            f"Each of the {workers.processes} processes reads the whole stream of batches, and takes its rows of each. "
            f"Let each read its share, if reading is slow: DataParallel(auto_shard_dataset=False), with batches of "
            f"1/{workers.processes} of the rows."
        )
    rows = rows_of(source.first_batch())
    if workers.divides(rows):
        return workers
    if rows:
        even = -(-rows // workers.count) * workers.count
        why, hint = f"{rows} samples", f"Pass a batch_size that {workers.count} divides, for instance {even}."
    else:
        why, hint = "arrays of different lengths", "Give each array a row for each sample."
    warn_on_first_process(
        f"Batches of {why} cannot be shared evenly by {workers.count} workers, so each computes all of them. {hint}"
    )
    return ONE_WORKER
