"""What is compared between the workers at the start of `fit`, so that a difference is an error and no endless wait."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from polykeras import seeds
from polykeras.backend import registry
from polykeras.common import nested
from polykeras.distribution.agreement import check_agreement, facts_of_process
from polykeras.distribution.workers import Workers
from polykeras.training.data.array_source import ArraySource
from polykeras.training.data.sources import Source
from polykeras.training.parallel.share import sharing
from polykeras.training.steps.prepare import prepare

_ENOUGH = 2**26  # bytes of an array whose checksum is taken; of larger ones, that of some rows


def check_run(
    model: Any,
    workers: Workers,
    source: Source,
    validation: Source | None,
    run: Mapping[str, Any],
    callbacks: Iterable[Any],
) -> None:
    """Compare what a run of `fit` depends on, if there are several workers. The model is built for that.

    Args:
        model: is compiled.
        workers: those of the run.
        source: the data.
        validation: the data of the validation, or None.
        run: further facts of the run by their names, such as `"epochs"`.
        callbacks: those that all workers have.

    Raises:
        RuntimeError: the workers differ; the message says in what, and what to do.
        ValueError: a layer keeps states of samples.
    """
    if not workers.run_together:
        return
    backend = registry.current()
    if workers.share_batches:
        _check_layers(model, workers.count)
    cuts_streams = workers.cuts_streams
    # Each fact by itself: one that cannot be told, such as the config of a user's layer, is the same on all workers.
    facts = {name: _told(tell) for name, tell in _data_of(source, "", cuts_streams).items()}
    facts |= {name: _told(tell) for name, tell in _data_of(validation, "validation ", cuts_streams).items()}
    if isinstance(source, ArraySource) or cuts_streams:
        sharers = sharing(workers, source)
        prepare(model, "train", sharers.cut(source.first_batch()), workers=sharers)  # which builds it
    variables = model._all_variables()
    counted = {id(v) for metric in model.metrics for v in metric.variables}  # an epoch sets them back
    facts |= {name: str(value) for name, value in run.items()}
    facts |= {
        "callbacks": ", ".join(type(callback).__name__ for callback in callbacks if not callback.first_worker_only),
        "model": _told(lambda: json.dumps(model.get_config(), sort_keys=True, default=repr)),
        "compile": _told(lambda: json.dumps(model.get_compile_config(), sort_keys=True, default=repr)),
        "variables": ", ".join(f"{v.path}{list(v.shape)}" for v in variables),
        "stream of random numbers": str(zlib.crc32(repr(seeds.process_state()).encode())),
        **facts_of_process(backend),
    }
    if workers.cuts_weights:
        check_agreement(backend, facts)  # before all read the same weights, which are gathered
    facts["weights"] = str(_checksum(v.numpy() for v in variables if id(v) not in counted))
    check_agreement(backend, facts)


def _check_layers(model: Any, workers: int) -> None:
    """Refuse layers that keep what workers that share a batch do not know of one another."""
    stateful = [layer.name for layer in model._flatten_layers() if getattr(layer, "stateful", False)]
    if stateful:
        raise ValueError(
            f"The layers {', '.join(map(repr, stateful))} keep states of the samples of a batch (stateful=True), of "
            f"which each of the {workers} workers has others. Train them on one worker."
        )
    if any(variable.overwrite_with_gradient for variable in model.variables):
        raise ValueError(
            "Training in float8 keeps the largest values of each batch, which workers that share a batch do not "
            "know of one another. Train on one worker, or in bfloat16 (`mixed_bfloat16`)."
        )


def _data_of(source: Source | None, prefix: str, whole: bool) -> dict[str, Callable[[], str]]:
    if source is None:
        return {f"{prefix}data": lambda: "none"}
    facts: dict[str, Callable[[], str]] = {f"{prefix}{name}": partial(str, v) for name, v in source.facts().items()}
    if not isinstance(source, ArraySource):
        if whole:
            facts[f"{prefix}first batch"] = lambda: str(_checksum(nested.flatten(source.first_batch())))
    else:
        facts[f"{prefix}data"] = lambda: str(_checksum(nested.flatten(source.data)))
    return facts


def _checksum(arrays: Iterable[np.ndarray]) -> int:
    """Return a checksum of arrays; of large ones, of rows at equal distances."""
    found = 0
    for array in arrays:
        rows = array[:: -(-array.nbytes // _ENOUGH) or 1] if array.ndim else array
        found = zlib.crc32(rows.tobytes(), found)
    return found


def _told(tell: Callable[[], str]) -> str:
    try:
        return tell()
    except Exception as error:
        return f"unknown ({type(error).__name__})"
