"""What workers agree on between chunks: how far the next one goes, and whether training stops.

The length of a chunk follows from times, and a callback may stop training for a reason of its own process. All workers
take the shortest chunk that one of them proposes, and stop if one of them stops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras.backend import Backend, registry
from polykeras.training.parallel.share import share_on

_STOP = -1


def _proposals(backend: Backend, own: int) -> list[int]:
    """Return the numbers of all workers."""
    return [int(n) for n in backend.to_numpy(backend.all_gather(backend.asarray(np.int32(own))))]


def agreed_ends(model: Any, kind: str, backend: Backend) -> Callable[[int, int], int] | None:
    """Return a function for `ChunkEnds.agree`; None for one worker.

    Args:
        model: the model whose steps run. If another worker stops, it is told to stop.
        kind: `"train"` or `"test"`.
        backend: where they run.

    Raises:
        ValueError: by the function, on all workers: the data of one worker ended before those of another.
    """
    if share_on(backend) is None:
        return None
    flag = "stop_training" if kind == "train" else "stop_evaluating"

    def agree(start: int, end: int) -> int:
        found = _proposals(backend, _STOP if getattr(model, flag) else end)
        if _STOP in found:
            setattr(model, flag, True)
            return start
        ended = [worker for worker, n in enumerate(found) if n == start]
        if ended and max(found) > start:
            raise ValueError(
                f"The data of worker {ended[0]} ended after {start} batches of this epoch; worker "
                f"{found.index(max(found))} has more. Each must give as many batches: pass `steps_per_epoch`, or data "
                "sets of one length."
            )
        return min(found)

    return agree


def agree_to_stop(model: Any) -> None:
    """Set `stop_training` on all workers if one of them has set it."""
    backend = registry.current()
    if share_on(backend) is not None:
        model.stop_training = any(_proposals(backend, int(bool(model.stop_training))))
