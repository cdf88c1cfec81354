"""Arrays that lie on several devices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from polykeras.backend.spec import Array, Family


class Layouts(Family):
    """How an array lies on a grid of devices. A backend whose arrays lie on one device has nothing to add."""

    def lay_out(self, x: Array, devices: np.ndarray, axis_names: Sequence[str], axes: Sequence[str | None]) -> Array:
        """Return an array that lies on a grid of devices. A backend whose arrays can do so overrides this.

        Args:
            x: an array; inside of compiled code too.
            devices: names of devices, numbered over all processes, in the shape of the grid.
            axis_names: the names of the axes of the grid.
            axes: for each axis of `x`, from the first one on, the axis of the grid over which it is cut, or None.

        Raises:
            NotImplementedError: the arrays of the backend lie on one device.
            ValueError: there are no such devices, or the array cannot be cut evenly.
        """
        if devices.size == 1 or not self.holds_values:
            return x
        raise NotImplementedError(
            f"An array of the {self.name} backend lies on one device; received {devices.size}: "
            f"{', '.join(map(str, devices.flat))}. Arrays of JAX and PyTorch can lie on several devices."
        )

    def with_gradient_alike(self, x: Array) -> Array:
        """Return the same array, whose gradient will lie as it does.

        A backend overrides this if a gradient may lie as other arrays that took part, and not all its operations take
        arrays that are cut.
        """
        return x
