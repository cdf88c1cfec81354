"""Training on several devices, which is an issue of its own; what there is of devices."""

from __future__ import annotations

from typing import Any

from polykeras.common.unsupported import NotYet, not_yet

_MEANWHILE = "Training runs on one device; `polykeras.device` chooses it."


class DeviceMesh(NotYet):
    """Keras's grid of devices, which is not available yet."""

    meanwhile = _MEANWHILE


class TensorLayout(NotYet):
    """Keras's layout of an array over devices, which is not available yet."""

    meanwhile = _MEANWHILE


class LayoutMap(NotYet):
    """Keras's layouts of weights by their paths, which are not available yet."""

    meanwhile = _MEANWHILE


class DataParallel(NotYet):
    """Keras's training of copies of a model on parts of each batch, which is not available yet."""

    meanwhile = _MEANWHILE


class ModelParallel(NotYet):
    """Keras's training of one model over several devices, which is not available yet."""

    meanwhile = _MEANWHILE


def distribution() -> None:
    """Return the current distribution: there is none."""
    return


def set_distribution(value: Any) -> None:
    """Set the current distribution.

    Raises:
        NotImplementedError: it is not None.
    """
    if value is not None:
        raise not_yet("set_distribution", _MEANWHILE)


def initialize(
    job_addresses: str | None = None, num_processes: int | None = None, process_id: int | None = None
) -> None:
    """Connect the processes of one training.

    Raises:
        NotImplementedError: always.
    """
    raise not_yet("distribution.initialize", _MEANWHILE)


def list_devices(device_type: str | None = None) -> list[str]:
    """Return the devices that are there.

    Raises:
        NotImplementedError: always.
    """
    raise not_yet("distribution.list_devices", _MEANWHILE)


def get_device_count(device_type: str | None = None) -> int:
    """Return how many devices there are.

    Raises:
        NotImplementedError: always.
    """
    raise not_yet("distribution.get_device_count", _MEANWHILE)


def distribute_tensor(tensor: Any, layout: Any) -> Any:
    """Return an array that lies on several devices.

    Raises:
        NotImplementedError: always.
    """
    raise not_yet("distribution.distribute_tensor", _MEANWHILE)


__all__ = [
    "DataParallel",
    "DeviceMesh",
    "LayoutMap",
    "ModelParallel",
    "TensorLayout",
    "distribute_tensor",
    "distribution",
    "get_device_count",
    "initialize",
    "list_devices",
    "set_distribution",
]
