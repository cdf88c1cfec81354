"""What workers agree on between chunks: how far the next one goes, and whether training stops.

The length of a chunk follows from times, and a callback may stop training for a reason of its own process. All workers
take the shortest chunk that one of them proposes, and stop if one of them stops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras import dtypes
from polykeras.backend import Backend, registry
from polykeras.training.parallel.share import share_on
from polykeras.variables import read_state

_STOP = -1
_DRIFT = 1e-4  # relative: kernels of different processors may differ in the last bits where workers compute the same


def _of_all(backend: Backend, *own: int) -> np.ndarray:
    """Return the numbers of all workers, ints `(workers, numbers)`."""
    return np.asarray(backend.to_numpy(backend.all_gather(backend.asarray(np.array(own, np.int32)))))


def agreed_ends(model: Any, kind: str, backend: Backend) -> Callable[[int, int, int], int] | None:
    """Return a function for `ChunkEnds.agree`; None for one worker.

    Args:
        model: the model whose steps run. If another worker stops, it is told to stop.
        kind: `"train"` or `"test"`.
        backend: where they run.

    Raises:
        ValueError: by the function, on all workers: the data of one worker ended before those of another, or the
            workers have batches of different sizes.
    """
    if share_on(backend) is None:
        return None
    flag = "stop_training" if kind == "train" else "stop_evaluating"

    def agree(start: int, end: int, rows: int) -> int:
        ends, sizes = _of_all(backend, _STOP if getattr(model, flag) else end, rows).T
        if _STOP in ends:
            setattr(model, flag, True)
            return start
        ended, longest = int(np.argmin(ends)), int(np.argmax(ends))
        if ends[ended] == start < ends[longest]:
            raise ValueError(
                f"The data of worker {ended} ended after {start} batches of this epoch; worker {longest} has more. "
                "Each must give as many batches: pass `steps_per_epoch`, or data sets of one length."
            )
        if ends[ended] > start and len(set(sizes)) > 1:
            raise ValueError(
                f"The workers have batches of different sizes at step {start + 1}: {', '.join(map(str, sizes))} rows "
                "on workers 0, 1, ... Each must give as many rows: drop the rest of the data, or let all read whole "
                "batches, with `DataParallel(auto_shard_dataset=True)`."
            )
        return int(ends[ended])

    return agree


def agree_after_epoch(model: Any) -> None:
    """Set `stop_training` on all workers if one of them has set it, and compare the weights of the workers.

    Args:
        model: the model that is trained.

    Raises:
        RuntimeError: the weights differ.
    """
    backend = registry.current()
    if share_on(backend) is None:
        return
    weights = [v for v in model.variables if dtypes.is_float(v.stored_dtype) or dtypes.is_int(v.stored_dtype)]
    sizes = [backend.sum(backend.abs(backend.cast(x, "float32"))) for x in read_state(weights, backend)]
    flag = backend.asarray(np.float32(bool(model.stop_training)))
    found = backend.to_numpy(backend.all_gather(backend.stack([flag, *sizes])))
    model.stop_training = bool(found[:, 0].any())
    differ = np.abs(found - found[0]) > _DRIFT * np.abs(found[0])  # not where one is nan
    for worker, place in np.argwhere(differ[:, 1:])[:1]:
        raise RuntimeError(
            f"The weights of worker {worker} are not those of worker 0: {weights[place].path!r} differs. Every update "
            "must be that of the whole batch. `optimizer.apply` averages gradients over the workers; code that assigns "
            "to variables in another way, such as an optimizer of the framework, must do so itself: see "
            "`polykeras.collectives`."
        )
