"""Arrays that lie on several devices."""

from __future__ import annotations

from typing import Any

from polykeras.backend import Backend, registry
from polykeras.backend.handles import Symbolic, convert
from polykeras.backend.spec import Array
from polykeras.common import nested
from polykeras.distribution.meshes import TensorLayout
from polykeras.distribution.strategies import distribution, weights_are_cut


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


def distribute_output(outputs: Any, path: str) -> Any:
    """Return the outputs of a layer, as the current distribution wants them.

    Args:
        outputs: a tree of arrays.
        path: that of the layer. A `LayoutMap` has the layout of the outputs at `<path>/output`, as in Keras.
    """
    current = distribution()
    layout = None if current is None else current.get_tensor_layout(f"{path}/output")
    if layout is not None:
        return nested.map_structure(lambda x: distribute_tensor(x, layout), outputs)
    return nested.map_structure(_with_gradient_alike, outputs) if weights_are_cut() else outputs


def _with_gradient_alike(x: Any) -> Any:
    backend = registry.current()
    return backend.with_gradient_alike(x) if backend.holds_values and backend.is_tensor(x) else x


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
    named = [axis for axis in layout.axes if axis is not None]
    if len(set(named)) < len(named):
        raise ValueError(
            f"distribute_tensor: expected that each axis of the devices cuts one axis at most; received {layout.axes}."
        )
    return backend.lay_out(array, mesh.devices, tuple(mesh.axis_names), layout.axes)
