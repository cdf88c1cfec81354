"""Logs: what steps return, flat and by name, on the host."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from polykeras.backend import registry


def host_logs(logs: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Bring logs to the host; wait for them.

    Args:
        logs: numbers or arrays by name.
        names: their names, in the order of the result.

    Returns:
        Python floats, and arrays for what is no scalar, by name.
    """
    backend = registry.current()
    if not names:  # nothing to wait for below, and the memory of the batches is about to be used again
        backend.synchronize()
    host: dict[str, Any] = {}
    for name in names:
        value = logs[name]
        array = np.asarray(backend.to_numpy(value) if backend.is_tensor(value) else value)
        host[name] = float(array) if array.ndim == 0 else array
    return host


def as_list(logs: dict[str, Any]) -> Any:
    """Return the values without names: a list, or the value if there is only one."""
    values = list(logs.values())
    return values[0] if len(values) == 1 else values


def flat_logs(kind: str, logs: Any) -> dict[str, Any]:
    """Return the logs of a step in one dict: the items of a dict within it take its place.

    Args:
        kind: the kind of the step, `"train"` or `"test"`.
        logs: what it returned.

    Raises:
        TypeError: that is no dict, or a log in it is None.
    """
    if not isinstance(logs, dict):
        raise TypeError(f"{kind}_step must return scalars by name, a dict, for the logs; received {logs!r}.")
    flat: dict[str, Any] = {}
    for name, value in logs.items():
        if value is None:
            raise TypeError(f"{kind}_step must return scalars for the logs; {name!r} is None. Leave it out.")
        flat |= flat_logs(kind, value) if isinstance(value, dict) else {name: value}
    return flat
