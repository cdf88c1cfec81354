"""One pass of training or evaluation over a source of batches, in chunks of steps."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any

from polykeras import config
from polykeras.backend import registry
from polykeras.distribution.workers import Workers
from polykeras.training.callbacks.callback_list import CallbackList
from polykeras.training.chunks.arrays import array_chunks
from polykeras.training.chunks.chunk import Chunk, ChunkEnds
from polykeras.training.chunks.functions import batches_in_call, function_chunks
from polykeras.training.chunks.streams import stream_chunks
from polykeras.training.data.sources import ArraySource, Source
from polykeras.training.logs import host_logs
from polykeras.training.parallel.agreeing import agreed_ends
from polykeras.training.parallel.share import sharing
from polykeras.training.resuming.progress import Progress
from polykeras.training.steps.fillable import fills
from polykeras.training.steps.prepare import prepare
from polykeras.training.steps.sizes import ChunkSize


def run_epoch(
    model: Any,
    kind: str,
    workers: Workers,
    source: Source,
    callback_list: CallbackList,
    progress: Progress | None = None,
) -> tuple[dict[str, Any], int]:
    """Run one pass over a source, or the rest of one.

    Args:
        model: the model that has the steps.
        kind: `"train"` or `"test"`.
        workers: those of the run.
        source: the data.
        callback_list: the callbacks.
        progress: where training is, perhaps within an epoch; None in evaluation.

    Returns:
        The last logs, and the number of steps that are done.

    Raises:
        TypeError: a user's function returned no dict of logs.
    """
    logs, done = (progress.position.logs, progress.position.step) if progress else ({}, 0)
    if done and model.stop_training:
        return logs, done
    own = model._own_function(kind)
    if own is not None:
        size = ChunkSize(batches_in_call(model))
        chunks = function_chunks(source, own, registry.current(), size.steps, done)
    else:
        size, chunks = _compiled_chunks(model, kind, workers, source, callback_list, progress, done)
    together = own is None and workers.run_together
    batch_begins = getattr(callback_list, f"on_{kind}_batch_begin")
    batch_ended = getattr(callback_list, f"on_{kind}_batch_end")
    for start, done, run in chunks:
        batch_begins(start, {})
        begin = time.perf_counter()
        logs = run()
        if own is not None and not isinstance(logs, dict):
            raise TypeError(f"Expected a dict of logs by name from {own!r}; received {logs!r}.")
        logs = host_logs(logs, model._steps.log_names.get(kind, ()))  # which waits for the chunk
        if 2 * (done - start) >= size.steps:  # shorter ones are mostly overhead, or have a batch of another shape
            size.record(done - start, time.perf_counter() - begin)
        if progress:
            progress.chunk_done(done, logs)
        batch_ended(done - 1, logs)
        # A model that is to stop training is still evaluated on all data. Several workers stop together.
        if (model.stop_training if kind == "train" else model.stop_evaluating) and not together:
            break
    return logs, done


def _compiled_chunks(
    model: Any,
    kind: str,
    workers: Workers,
    source: Source,
    callback_list: CallbackList,
    progress: Progress | None,
    done: int,
) -> tuple[ChunkSize, Iterator[Chunk]]:
    """Return the size of the chunks of an epoch, and the chunks."""
    backend, first = registry.current(), source.first_batch()
    sharers = sharing(workers, source)
    local = (sharers if isinstance(source, ArraySource) else sharers.of_streams()).cut(first)
    step = prepare(model, kind, local, workers=sharers)
    step.begin_pass(done)
    fixed = model.steps_per_execution
    # A callback that has told the run to end before its first step lets this one step run.
    single = callback_list.watches(kind) or (model.stop_training if kind == "train" else model.stop_evaluating)
    size = step.sizes.chunk(local, int(fixed) if fixed != "auto" else 1 if single else None)
    next_stop = None
    if progress:
        progress.step, next_stop = step, callback_list.next_stop
    ends = ChunkEnds(size, next_stop, agreed_ends(model, kind, workers, callback_list))
    whole = partial(prepare, model, kind, first)
    if isinstance(source, ArraySource):
        filled = source.ends_partial and not sharers.share_batches and fills(step, first)
        return size, array_chunks(source, step, backend, ends, sharers, whole, filled, done)
    return size, stream_chunks(source, step, backend, ends, sharers, whole, done)


def run_evaluation(
    model: Any, workers: Workers, source: Source, callback_list: CallbackList
) -> tuple[dict[str, Any], int]:
    """Evaluate a model on a source, with the hooks of callbacks.

    Args:
        model: the model that has the steps.
        workers: those of the run.
        source: the data.
        callback_list: the callbacks.

    Returns:
        The logs, and the number of steps that are done.
    """
    model.stop_evaluating = False
    callback_list.on_test_begin({})
    model.reset_metrics()
    logs, done = run_epoch(model, "test", workers, source, callback_list)
    callback_list.on_test_end(logs)
    return logs, done


def warn_if_short(done: int, wanted: int | None, epoch: int | None) -> None:
    """Warn of data that ended early.

    Args:
        done: the number of steps that were done.
        wanted: the number of steps that were asked for; None if none was.
        epoch: the epoch of training, counted from 0; None in evaluation and prediction.
    """
    limit = config.max_steps_per_epoch()
    if wanted is None or done >= (wanted if limit is None else min(wanted, limit)):
        return
    where = "" if epoch is None else f" of epoch {epoch + 1}"
    warnings.warn(
        f"The data ran out: {wanted} steps{where} were asked for and {done} came. Let the generator go on without end "
        "(`repeat()` of a tf.data.Dataset), or ask for fewer steps.",
        UserWarning,
        stacklevel=5 if epoch is None else 6,  # through the wrappers of `evaluate` and `fit`
    )
