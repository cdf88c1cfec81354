"""Predictions: their chunks, whether the last batch is filled up, and how the outputs are joined.

A chunk is one batch. It is several batches if they are small and lie in arrays, the backend has one program for them,
and no callback must see each batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from polykeras import dtypes, fast
from polykeras.backend import Backend, registry
from polykeras.backend.execution_policy import CannotRunBatches
from polykeras.common import nested
from polykeras.training.chunks.chunk import Chunk
from polykeras.training.chunks.functions import batches_in_call, function_chunks
from polykeras.training.data.array_source import BATCH_SIZE, ArraySource
from polykeras.training.data.checks import has_nan, host_array
from polykeras.training.data.sources import Source
from polykeras.training.shape_buckets import in_bucket
from polykeras.training.steps.fillable import why_not
from polykeras.training.steps.prepare import prepare
from polykeras.training.steps.step import Step

AT_ONCE = 16  # batches
FEWEST = 4  # batches that are worth another program
SMALL = 2**22  # bytes of a batch and the weights together: larger models would need much memory for several batches


def single_batch(x: Any, batch_size: int | None) -> np.ndarray | None:
    """Return inputs that are one batch as that batch.

    Such inputs need not be cut up, counted or joined, so that a prediction in a loop takes half the time. Wrong data
    are left to `make_source`, which says what is wrong.

    Args:
        x: the inputs.
        batch_size: as given to `predict`.

    Returns:
        The batch as a NumPy array `(rows, ...)`; None if `x` is not one NumPy array, or has too many rows.
    """
    most = BATCH_SIZE if batch_size is None else batch_size
    plain = type(x) is np.ndarray and type(most) is int and fast.enabled("one-batch")
    if not plain or x.ndim == 0 or not 0 < len(x) <= most:
        return None
    host = host_array(x, "x")
    return None if has_nan([host]) else host


def prediction_chunks(
    model: Any, source: Source, own: Callable[[Any], Any] | None, watched: bool
) -> tuple[Iterator[Chunk], int | None]:
    """Return the chunks of a prediction.

    Args:
        model: the model that predicts.
        source: the data.
        own: the user's function that runs the batches; None if there is none.
        watched: whether a callback must see each batch.

    Returns:
        The chunks; and the number of samples if the last batch is filled up, else None.
    """
    backend = registry.current()
    if own is not None:
        return function_chunks(source, own, backend, batches_in_call(model)), None
    step = prepare(model, "predict", source.first_batch())
    step.begin_pass()
    samples = None if watched else _samples_if_filled(model, source, backend)
    return _compiled_chunks(source, step, backend, samples is not None, watched), samples


def _compiled_chunks(source: Source, step: Step, backend: Backend, filled: bool, watched: bool) -> Iterator[Chunk]:
    if not isinstance(source, ArraySource):
        for i, batch in enumerate(source.read_epoch()):
            yield i, i + 1, lambda batch=batch: step.run_batch(batch)
        return
    start, whole = 0, source.in_epoch - (source.ends_partial and not filled)
    at_once = not watched and whole >= FEWEST and _is_small(source, step)
    while at_once and start < whole and step.can_run_batches():
        stop = min(start + AT_ONCE, whole)
        yield start, stop, lambda first=start, last=stop: _of_batches(source, step, backend, first, last)
        start = stop
    for i, batch in enumerate(source.batches(filled, start), start):
        yield i, i + 1, lambda batch=batch: step.run_batch(batch)


def _samples_if_filled(model: Any, source: Source, backend: Backend) -> int | None:
    """Return the number of samples if the last batch is to be filled up, so that its shape is not compiled too.

    No mask is needed: the outputs for the rows that are too many are cut off.
    """
    if not isinstance(source, ArraySource) or not source.ends_partial or not backend.execution.compiles:
        return None
    return source.samples if why_not(model, "predict") is None else None


def _is_small(source: ArraySource, step: Step) -> bool:
    size = sum(leaf[: source.batch_size].nbytes for leaf in nested.flatten(source.data))
    return size + sum(dtypes.nbytes(v.shape, v.dtype) for v in step.variables) <= SMALL


def _of_batches(source: ArraySource, step: Step, backend: Backend, start: int, stop: int) -> Any:
    """Return the outputs of several batches at once on the host; a last partial batch is filled up."""

    def stacked(leaf: np.ndarray) -> Any:
        rows = leaf[start * source.batch_size : stop * source.batch_size]
        whole = in_bucket(rows, AT_ONCE * source.batch_size)
        batches = whole.reshape(AT_ONCE, source.batch_size, *leaf.shape[1:])
        return batches if whole is rows else backend.borrow(batches)

    def flat(leaf: Any) -> np.ndarray:
        values = backend.to_numpy(leaf)[: stop - start]
        return values.reshape(len(values) * values.shape[1], *values.shape[2:])

    try:
        outputs = step.run_batches(nested.map_structure(stacked, source.data), stop - start)
    except CannotRunBatches as reason:
        fast.explain("batches of a prediction", "run one by one", str(reason))
        parts = [step.run_batch(batch) for batch in islice(source.batches(True, start), stop - start)]
        return joined(parts, backend, None)
    return nested.map_structure(flat, outputs)


def joined(parts: list[Any], backend: Backend, samples: int | None) -> Any:
    """Join the outputs of all batches.

    Args:
        parts: the outputs of each batch.
        backend: the backend whose arrays they are.
        samples: how many samples count; None for all.

    Returns:
        A tree of NumPy arrays `(samples, ...)`.

    Raises:
        ValueError: an output is a scalar: it has no samples.
    """
    arrays = [nested.map_structure(lambda leaf: _on_host(leaf, backend), part) for part in parts]
    leaves = nested.flatten(arrays[0])
    if any(np.ndim(leaf) == 0 for leaf in leaves):
        path = next(path for leaf, path in zip(leaves, nested.paths(arrays[0]), strict=True) if np.ndim(leaf) == 0)
        raise ValueError(
            f"predict: the output{path and ' ' + path} is a scalar for each batch; expected an array with an entry "
            "for each sample. Return one from the model, or use `predict_on_batch`."
        )
    return nested.map_structure(lambda *outputs: _concatenated(outputs)[:samples], *arrays)


def _concatenated(outputs: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(outputs) if len(outputs) > 1 else np.array(outputs[0])  # a copy too, in half the time


def _on_host(leaf: Any, backend: Backend) -> np.ndarray:
    return leaf if isinstance(leaf, np.ndarray) else backend.to_numpy(leaf)
