"""Grids of devices, and how arrays lie on them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from typing import Any

import numpy as np

from polykeras.distribution.devices import list_devices


class DeviceMesh:
    """A grid of devices, whose axes have names.

    Args:
        shape: the sizes of the axes: `(8,)` for data parallelism alone, `(4, 2)` for four parts of each batch and
            weights in two parts.
        axis_names: the names of the axes, by which a `TensorLayout` refers to them.
        devices: names of as many devices, in any shape; None takes all of `list_devices()`.

    Attributes:
        shape: as given.
        axis_names: as given.
        devices: an array of names in the shape of the grid.

    Raises:
        ValueError: the arguments do not fit each other.

    Example:
        >>> mesh = DeviceMesh((2, 2), ["batch", "model"], [f"gpu:{i}" for i in range(4)])
        >>> mesh.devices[1].tolist()
        ['gpu:2', 'gpu:3']
    """

    def __init__(self, shape: Sequence[int], axis_names: Sequence[str], devices: Any = None) -> None:
        if not shape or not axis_names or len(shape) != len(axis_names):
            raise ValueError(
                f"DeviceMesh: expected a size and a name for each axis; received shape={shape!r}, "
                f"axis_names={axis_names!r}."
            )
        found = np.array(list_devices() if devices is None else devices)
        if math.prod(shape) != found.size:
            raise ValueError(
                f"DeviceMesh: expected {math.prod(shape)} devices for the shape {tuple(shape)}; received {found.size}: "
                f"{', '.join(map(str, found.flat))}."
            )
        self.shape = shape
        self.axis_names = axis_names
        self.devices = found.reshape(shape)

    def __repr__(self) -> str:
        return f"<DeviceMesh shape={self.shape}, axis_names={self.axis_names}>"


class TensorLayout:
    """How an array lies on a grid of devices.

    Args:
        axes: for each axis of the array, the name of the axis of the grid over which it is cut, or None.
        device_mesh: the grid; it may be set later, once.

    Attributes:
        axes: a tuple, as given.
        device_mesh: the grid, or None.

    Raises:
        ValueError: the grid has no axis of a name.

    Example:
        >>> TensorLayout((None, "model")).axes
        (None, 'model')
    """

    def __init__(self, axes: Iterable[str | None], device_mesh: DeviceMesh | None = None) -> None:
        self.axes = tuple(axes)
        self._device_mesh: DeviceMesh | None = None
        if device_mesh is not None:
            self.device_mesh = device_mesh

    @property
    def device_mesh(self) -> DeviceMesh | None:
        """The grid of devices.

        Raises:
            ValueError: it is set a second time, or has no axis of a name.
        """
        return self._device_mesh

    @device_mesh.setter
    def device_mesh(self, device_mesh: DeviceMesh) -> None:
        if self._device_mesh is not None:
            raise ValueError(f"TensorLayout: expected to get a device mesh once; it has {self._device_mesh}.")
        unknown = [name for name in self.axes if name is not None and name not in device_mesh.axis_names]
        if unknown:
            raise ValueError(
                "TensorLayout: expected names of axes of the device mesh, "
                f"{', '.join(map(repr, device_mesh.axis_names))}, or None; received "
                f"{', '.join(map(repr, unknown))} in {self.axes}."
            )
        self._device_mesh = device_mesh

    def __repr__(self) -> str:
        return f"<TensorLayout axes={self.axes}, device_mesh={self.device_mesh}>"


class LayoutMap(MutableMapping[str, Any]):
    """Layouts of weights by their paths. A key is a regular expression, which must match a whole path.

    A value may be given as a tuple of axes.

    Args:
        device_mesh: the grid of devices of layouts that come without one.

    Attributes:
        device_mesh: as given.

    Example:
        >>> mesh = DeviceMesh((1, 2), ["batch", "model"], ["gpu:0", "gpu:1"])
        >>> layouts = LayoutMap(mesh)
        >>> layouts["dense.*kernel"] = (None, "model")
        >>> layouts["dense_1/kernel"].axes
        (None, 'model')
        >>> layouts["conv/kernel"] is None
        True
    """

    def __init__(self, device_mesh: DeviceMesh | None) -> None:
        self.device_mesh = device_mesh
        self._layouts: dict[str, TensorLayout] = {}

    def __getitem__(self, key: str) -> TensorLayout | None:
        """Return the layout of a path: that of the key itself, or of the one pattern that matches; None without any.

        Raises:
            ValueError: several patterns match.
        """
        if key in self._layouts:
            return self._layouts[key]
        matching = [pattern for pattern in self._layouts if re.fullmatch(pattern, key)]
        if len(matching) > 1:
            raise ValueError(
                f"LayoutMap: expected that one key at most matches the path {key!r}; these do: "
                f"{', '.join(map(repr, matching))}. Make the patterns narrower."
            )
        return self._layouts[matching[0]] if matching else None

    def __setitem__(self, key: str, layout: TensorLayout | tuple[str | None, ...]) -> None:
        """Add a layout.

        Raises:
            ValueError: the key is there already, or `layout` is none, or does not fit the grid of devices.
        """
        if key in self._layouts:
            raise ValueError(
                f"LayoutMap: the key {key!r} is there already, with {self._layouts[key]}. Delete it first."
            )
        if isinstance(layout, tuple):
            layout = TensorLayout(layout)
        if not isinstance(layout, TensorLayout):
            raise ValueError(f"LayoutMap: expected a TensorLayout or a tuple of axes for {key!r}; received {layout!r}.")
        if layout.device_mesh is None and self.device_mesh is not None:
            layout.device_mesh = self.device_mesh
        self._layouts[key] = layout

    def __delitem__(self, key: str) -> None:
        del self._layouts[key]

    def __len__(self) -> int:
        return len(self._layouts)

    def __iter__(self) -> Iterator[str]:
        return iter(self._layouts)
