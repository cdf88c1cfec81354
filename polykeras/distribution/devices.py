"""The devices of a run, by names."""

from __future__ import annotations

from polykeras.backend import registry
from polykeras.distribution.connections import current_job


def list_devices(device_type: str | None = None) -> list[str]:
    """Return the names of the devices of the current backend, in all processes.

    Args:
        device_type: `"cpu"`, `"gpu"` or `"tpu"`; None gives GPUs or TPUs if there are any, and CPUs otherwise.

    Returns:
        Names such as `"gpu:1"`, numbered over all processes; none if there is no device of the type.

    Raises:
        ValueError: another type.

    Example:
        >>> import polykeras
        >>> with polykeras.use_backend("numpy"):
        ...     list_devices()
        ['cpu:0']
    """
    kind = device_type.lower() if device_type else None
    if kind not in (None, "cpu", "gpu", "tpu"):
        raise ValueError(f"list_devices: `device_type` must be 'cpu', 'gpu', 'tpu' or None; received {device_type!r}.")
    backend = registry.current()
    names = backend.devices()
    kind = kind or names[0].partition(":")[0]
    here = [name for name in names if name.startswith(f"{kind}:")]
    processes = current_job().size
    if processes == 1 or not here:
        return here
    each = len(here) if backend.execution.several_devices else 1
    return [f"{kind}:{place}" for place in range(each * processes)]


def get_device_count(device_type: str | None = None) -> int:
    """Return how many devices the current backend has, in all processes.

    Args:
        device_type: as in `list_devices`.

    Raises:
        ValueError: another type.
    """
    return len(list_devices(device_type))
