"""Logs: what steps return, flat and by name, on the host."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from polykeras.backend import registry
from polykeras.metrics import Metric
from polykeras.training.compiled_metrics import each


def host_logs(logs: Mapping[str, Any], names: Sequence[str] = ()) -> dict[str, Any]:
    """Bring logs to the host; wait for them.

    Args:
        logs: numbers or arrays by name.
        names: their order, as `flat_logs` had it: a compiled step does not keep it. Others than the logs' are no order.

    Returns:
        Python floats, and arrays for what is no scalar, in that order, or by name.
    """
    backend = registry.current()
    if not logs:  # nothing to wait for below, and the memory of the batches is about to be used again
        backend.synchronize()
    host: dict[str, Any] = {}
    for name in names if set(names) == logs.keys() else sorted(logs):
        value = logs[name]
        array = np.asarray(backend.to_numpy(value) if backend.is_tensor(value) else value)
        host[name] = float(array) if array.ndim == 0 else array
    return host


def with_validation(logs: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the logs of an epoch with those of its validation, in the order of names.

    Only those of a user's step that returns dicts within a dict are not sorted by then, and stay so: see `flat_logs`.
    """
    both = logs | {f"val_{name}": value for name, value in values.items()}
    return {name: both[name] for name in sorted(both)} if list(logs) == sorted(logs) else both


def list_order(names: Collection[str], metrics: Iterable[Metric]) -> list[str]:
    """Return the names of the values in a returned list: first the metrics whose own names are there, then the others.

    So the loss comes first, then the metrics of a single output or the losses of several. The metrics of several
    outputs have other names in logs than their own, and follow in the order of these. As in Keras, two metrics of one
    name give the value twice.

    Args:
        names: the names in the logs.
        metrics: those of the model.
    """
    own = [metric.name for metric in each(metrics)]
    return [name for name in own if name in names] + sorted(name for name in names if name not in own)


def as_list(logs: dict[str, Any], order: Sequence[str]) -> Any:
    """Return the values without names: a list, or the value if there is only one.

    Args:
        logs: values by name.
        order: the names of the values in the list; see `list_order`.
    """
    values = [logs[name] for name in order]
    return values[0] if len(values) == 1 else values


def flat_logs(kind: str, logs: Any) -> dict[str, Any]:
    """Return the logs of a step in one dict, by name: the items of a dict within it take its place, as in Keras.

    Args:
        kind: the kind of the step, `"train"` or `"test"`.
        logs: what it returned.

    Raises:
        TypeError: that is no dict, or a log in it is None.
    """
    if not isinstance(logs, dict):
        raise TypeError(f"{kind}_step must return scalars by name, a dict, for the logs; received {logs!r}.")
    flat: dict[str, Any] = {}
    for name in sorted(logs):
        value = logs[name]
        if value is None:
            raise TypeError(f"{kind}_step must return scalars for the logs; {name!r} is None. Leave it out.")
        flat |= flat_logs(kind, value) if isinstance(value, dict) else {name: value}
    return flat
