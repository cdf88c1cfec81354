"""One pass of training or evaluation over a source of batches, in chunks of steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from polykeras import config
from polykeras.backend import registry
from polykeras.common import nested
from polykeras.training import padding
from polykeras.training.array_chunks import array_chunks
from polykeras.training.callbacks.callback_list import CallbackList
from polykeras.training.chunks import Chunk, ChunkSize, never, timed
from polykeras.training.data.sources import ArraySource, Source
from polykeras.training.function_chunks import logged_chunks
from polykeras.training.logs import to_host
from polykeras.training.resuming.progress import Progress
from polykeras.training.steps.compiled import CompiledStep, shapes_of
from polykeras.training.steps.prepare import prepare
from polykeras.training.stream_chunks import stream_chunks


def run_epoch(
    model: Any, kind: str, source: Source, callback_list: CallbackList, progress: Progress | None = None
) -> tuple[dict[str, Any], int]:
    """Run one pass over a source, or the rest of one.

    Args:
        model: has the steps.
        kind: "train" or "test".
        source: the data.
        callback_list: the callbacks.
        progress: where training is, which may be in the midst of an epoch.

    Returns:
        The last logs, and the number of steps.
    """
    logs, done = progress.begun() if progress else ({}, 0)
    if done and model.stop_training:
        return logs, done
    own, step = model._own_function(kind), None
    if own is not None:
        size = ChunkSize(batches_in_call(model))
        chunks = logged_chunks(source, own, registry.current(), size.steps, done)
    else:
        step, size, chunks = _compiled_chunks(model, kind, source, callback_list, progress, done)
    for start, execute in chunks:
        callback_list.batch_begin(kind, start)
        (logs, steps), seconds = timed(execute, lambda logs: to_host(logs, step.log_names if step else logs))
        if 2 * steps >= size.steps:  # of a chunk cut short most is overhead, or its batch is of another shape
            size.record(steps, seconds)
        done = start + steps
        if progress:
            progress.chunk_done(done, logs)
        callback_list.batch_end(kind, done - 1, logs)
        # A model that is to stop training is still evaluated on all data.
        if model.stop_training if kind == "train" else model.stop_evaluating:
            break
    return logs, done


def _compiled_chunks(
    model: Any, kind: str, source: Source, callback_list: CallbackList, progress: Progress | None, done: int
) -> tuple[CompiledStep, ChunkSize, Iterator[Chunk]]:
    """Return the compiled step of an epoch, the length of its chunks, and the chunks."""
    backend, first = registry.current(), source.first_batch()
    step = prepare(model, kind, first)
    fixed = model.steps_per_execution
    size = step.chunk_size(first, int(fixed) if fixed != "auto" else 1 if callback_list.watches(kind) else None)
    next_stop = callback_list.next_stop if progress else never
    if progress:
        progress.step = step
    if isinstance(source, ArraySource):
        filled = source.ends_partial and _fills(model, kind, step, first)
        return step, size, array_chunks(source, step, backend, size, filled, done, next_stop)
    return step, size, stream_chunks(source, step, backend, size, done, next_stop)


def _fills(model: Any, kind: str, step: CompiledStep, batch: Any) -> bool:
    """Return whether the last batch of an epoch may be filled up to the size of the one given, of host arrays."""
    key = shapes_of(batch)
    fills = step.fills.get(key)
    if fills is None:
        filled = padding.Filled(batch, np.zeros(len(nested.flatten(batch)[0]), np.int32))
        fits = padding.why_not(model, kind) is None and padding.fits(step.step, filled)
        fills = step.fills.put(key, fits)
    model._forget_losses()
    return fills


def batches_in_call(model: Any) -> int:
    """Return how many batches one call of a function of the user's has: one where nothing is asked for."""
    return 1 if model.steps_per_execution == "auto" else int(model.steps_per_execution)


def check_steps(done: int, wanted: int | None, epoch: int | None) -> None:
    """Refuse data that ended before the steps that were asked for.

    Args:
        done: steps that there were.
        wanted: steps that were asked for; None where nothing was.
        epoch: of training.

    Raises:
        ValueError: there were fewer.
    """
    limit = config.max_steps_per_epoch()
    if wanted is None or done >= (wanted if limit is None else min(wanted, limit)):
        return
    where = "" if epoch is None else f" of epoch {epoch + 1}"
    raise ValueError(
        f"The data ended early: {wanted} steps{where} were asked for and {done} came. The steps done so far "
        "count: the weights and `model.history` keep them. Let the generator go on without end, or ask for fewer "
        "steps."
    )
