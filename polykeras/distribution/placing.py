"""Arrays that lie on several devices."""

from __future__ import annotations

from polykeras.backend import Backend, registry
from polykeras.backend.handles import Symbolic, convert
from polykeras.backend.spec import Array
from polykeras.distribution.meshes import TensorLayout


def distribute_tensor(tensor: Array, layout: TensorLayout) -> Array:
    """Return an array laid out over devices; inside of compiled code too.

    Args:
        tensor: an array, of any shape that the layout fits. A symbolic one is returned as it is.
        layout: how it lies on its grid of devices.

    Raises:
        ValueError: the layout has no grid of devices, or does not fit the array.
        NotImplementedError: the current backend lays arrays out on one device only.
    """
    if isinstance(tensor, Symbolic):
        return tensor
    backend = registry.current()
    return laid_out(backend, convert(backend, tensor), layout)


def laid_out(backend: Backend, array: Array, layout: TensorLayout) -> Array:
    """Return an array of a backend, laid out over devices. See `distribute_tensor`."""
    mesh = layout.device_mesh
    if mesh is None:
        raise ValueError(f"distribute_tensor: expected a layout with a device mesh; received {layout}.")
    if len(layout.axes) > len(backend.shape(array)):
        raise ValueError(
            f"distribute_tensor: expected an axis of the layout for each axis of the array, of shape "
            f"{tuple(backend.shape(array))}; received {layout.axes}."
        )
    return backend.lay_out(array, mesh.devices, tuple(mesh.axis_names), layout.axes)
