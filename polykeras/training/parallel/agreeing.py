"""What workers agree on between chunks: how far the next one goes, and whether training stops.

The length of a chunk follows from times, and a callback may stop training for a reason of its own process. All workers
take the shortest chunk that one of them proposes, and stop if one of them stops.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from polykeras import dtypes
from polykeras.backend import Backend, registry
from polykeras.distribution.agreement import exchanged
from polykeras.distribution.strategies import may_be_cut
from polykeras.distribution.workers import Workers
from polykeras.variables import Variable

if TYPE_CHECKING:
    from polykeras.training.callbacks.callback_list import CallbackList

_STOP = -1
_DRIFT = 1e-5  # relative to the largest number of a variable


def agreed_ends(
    model: Any, kind: str, workers: Workers, callback_list: CallbackList
) -> Callable[[int, int, int], int] | None:
    """Return a function for `ChunkEnds.agree`; None where nobody waits for others.

    Args:
        model: the model whose steps run. If another worker stops, it is told to stop.
        kind: `"train"` or `"test"`.
        workers: those of the run.
        callback_list: the callbacks; if one process is asked to end, all are.

    Raises:
        RuntimeError: by the function, on all workers: they do different things.
        ValueError: by the function, on all workers: the data of one worker ended before those of another, or the
            workers have batches of different sizes.
    """
    if not workers.run_together:
        return None
    backend = registry.current()
    flag, doing = ("stop_training", "trains") if kind == "train" else ("stop_evaluating", "evaluates")

    def agree(start: int, end: int, rows: int) -> int:
        own = _STOP if getattr(model, flag) else end
        ends, sizes, asked = exchanged(backend, doing, [own, rows, callback_list.asked_to_end()]).T
        if asked.any():
            callback_list.end_soon()
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
                "on workers 0, 1, ... Each must give as many rows: pass one `batch_size` and data of one length; of "
                "streams, drop the rest, or let all read whole batches (`DataParallel(auto_shard_dataset=True)`)."
            )
        return int(ends[ended])

    return agree


def agree_after_epoch(model: Any, workers: Workers) -> None:
    """Set `stop_training` on all workers if one of them has set it, and compare the variables of the workers.

    Batches that cannot be shared are computed by all workers. If their processors differ, so may the last bits. All
    then get the values of worker 0.

    Args:
        model: the model that is trained.
        workers: those of the run.

    Raises:
        RuntimeError: the variables differ by more.
    """
    if not workers.run_together:
        return
    backend = registry.current()
    known = [*model.variables, *(model.optimizer.variables if model.optimizer else ())]
    numbers = [v for v in known if dtypes.is_float(v.stored_dtype) or dtypes.is_int(v.stored_dtype)]
    variables = [v for v in numbers if not may_be_cut(v)]  # of the others, each worker has a part of its own
    found = 0
    for variable in variables:
        found = zlib.crc32(np.ascontiguousarray(variable.numpy()).tobytes(), found)
    stops, checksums = exchanged(backend, "ends an epoch of `fit`", [bool(model.stop_training), found - 2**31]).T
    model.stop_training = bool(stops.any())
    if len(set(checksums)) > 1:
        _take_those_of_the_first_worker(variables, backend)


def _take_those_of_the_first_worker(variables: list[Variable], backend: Backend) -> None:
    own = [backend.asarray(variable.numpy()) for variable in variables]
    first = backend.broadcast(own)
    drifts = []
    for mine, theirs in zip(own, first, strict=True):
        a, b = (np.asarray(backend.to_numpy(x), np.float64) for x in (mine, theirs))
        differs = (a != b) & ~(np.isnan(a) & np.isnan(b))
        size = np.abs(b, where=np.isfinite(b), out=np.zeros_like(b)).max(initial=1e-3)
        drifts.append(np.abs(a - b, where=differs, out=np.zeros_like(b)).max(initial=0.0) / size)
    all_drifts = backend.to_numpy(backend.all_gather(backend.asarray(np.array(drifts, np.float32))))
    for worker, place in np.argwhere(~(all_drifts <= _DRIFT))[:1]:  # nan too
        raise RuntimeError(
            f"The weights of worker {worker} are not those of worker 0: {variables[place].path!r} differs. Every "
            "update must be that of the whole batch. `optimizer.apply` averages gradients over the workers; code that "
            "assigns to variables in another way, such as an optimizer of the framework, must do so itself: see "
            "`polykeras.collectives`."
        )
    for variable, value in zip(variables, first, strict=True):
        variable.assign(value)
