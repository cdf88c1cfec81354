"""Shapes: reorder, join, split, pad and slice."""

from __future__ import annotations

from collections.abc import Sequence

from polykeras.backend.axes import canonical_axis
from polykeras.backend.spec import Array, Axis, Family, Shape, op, required


class Shaping(Family):
    """Moves elements without arithmetic."""

    # ---- required ----------------------------------------------------------------------------------------------

    @required("x")
    def reshape(self, x: Array, newshape: Shape | int) -> Array:
        """Return the elements of `x`, in row-major order, in another shape; one size may be -1 (the rest).

        Args:
            x: an array of any shape.
            newshape: the sizes of the axes; an int gives one axis.
        """
        raise NotImplementedError

    @required("x")
    def transpose(self, x: Array, axes: Sequence[int] | None = None) -> Array:
        """Return `x` with its axes in the given order; reversed if `axes` is None.

        Args:
            x: an array of any shape.
            axes: the axis of `x` for each axis of the result.
        """
        raise NotImplementedError

    @required("x")
    def broadcast_to(self, x: Array, shape: Shape | int) -> Array:
        """Return `x` repeated to `shape` by NumPy's broadcasting rules.

        Args:
            x: an array whose axes have size 1 or that of `shape`; leading axes may be missing.
            shape: the shape of the result.
        """
        raise NotImplementedError

    @required("xs", "common")
    def concatenate(self, xs: Sequence[Array], axis: int = 0) -> Array:
        """Return arrays joined along an existing axis.

        Args:
            xs: arrays of one shape, except along `axis`; they are cast to one dtype.
            axis: the axis to join.
        """
        raise NotImplementedError

    @required("x")
    def constant_pad(self, x: Array, pad_width: Sequence[tuple[int, int]], value: float = 0) -> Array:
        """Return `x` with `(before, after)` elements of one value added along each axis."""
        raise NotImplementedError

    @required("x")
    def flip(self, x: Array, axis: Axis = None) -> Array:
        """Return `x` with the order reversed along one axis, several axes, or all.

        Args:
            x: an array of any shape.
            axis: one axis, several, or None for all.
        """
        raise NotImplementedError

    @required("x")
    def strided_slice(self, x: Array, start: Shape, stop: Shape, step: Shape) -> Array:
        """Return `x[start[0]:stop[0]:step[0], ...]`, one triple for each axis.

        Args:
            x: an array.
            start: ints in `[0, n]`, one for each axis.
            stop: ints in `[0, n]`, exclusive.
            step: positive ints.
        """
        raise NotImplementedError

    # ---- composed ----------------------------------------------------------------------------------------------

    @op("x")
    def expand_dims(self, x: Array, axis: int | Sequence[int]) -> Array:
        """Return `x` with new axes of size 1 at the positions `axis` of the result.

        Args:
            x: an array of any shape.
            axis: one position in the result, or several.
        """
        axes = (axis,) if isinstance(axis, int) else tuple(axis)
        ndim = self.ndim(x) + len(axes)
        places = {canonical_axis(a, ndim) for a in axes}
        sizes = iter(self.shape(x))
        return self.reshape(x, tuple(1 if i in places else next(sizes) for i in range(ndim)))

    @op("x")
    def squeeze(self, x: Array, axis: Axis = None) -> Array:
        """Return `x` without the given axes of size 1. None removes all axes of size 1.

        Args:
            x: an array of any shape.
            axis: one axis, several, or None.

        Raises:
            ValueError: if a given axis does not have size 1.
        """
        shape = self.shape(x)
        if axis is None:
            return self.reshape(x, tuple(n for n in shape if n != 1))
        drop = {canonical_axis(a, len(shape)) for a in ((axis,) if isinstance(axis, int) else axis)}
        for a in drop:
            if shape[a] != 1:
                raise ValueError(f"squeeze: axis {a} of shape {tuple(shape)} has size {shape[a]}, not 1.")
        return self.reshape(x, tuple(n for i, n in enumerate(shape) if i not in drop))

    @op("x", "common")
    def stack(self, x: Sequence[Array], axis: int = 0) -> Array:
        """Return arrays of one shape joined along a new axis.

        Args:
            x: arrays of one shape; they are cast to one dtype.
            axis: the position of the new axis in the result.
        """
        return self.concatenate([self.expand_dims(part, axis) for part in x], axis)

    @op("x")
    def ravel(self, x: Array) -> Array:
        """Return the elements of `x` in row-major order as a vector."""
        return self.reshape(x, (self.size(x),))

    @op("x")
    def moveaxis(self, x: Array, source: int | Sequence[int], destination: int | Sequence[int]) -> Array:
        """Return `x` with the axes `source` at the positions `destination`; the others keep their order.

        Args:
            x: an array of any shape.
            source: one axis of `x`, or several.
            destination: as many positions in the result.

        Raises:
            ValueError: if an axis is named twice, or the numbers of axes and places differ.
        """
        ndim = self.ndim(x)
        sources, places = (
            [canonical_axis(a, ndim) for a in ((axes,) if isinstance(axes, int) else axes)]
            for axes in (source, destination)
        )
        if len(sources) != len(places) or any(len(set(axes)) < len(axes) for axes in (sources, places)):
            raise ValueError(f"moveaxis: expected equally many different axes; received {source} and {destination}.")
        order = [a for a in range(ndim) if a not in sources]
        for place, a in sorted(zip(places, sources, strict=True)):
            order.insert(place, a)
        return self.transpose(x, order)

    @op("x")
    def swapaxes(self, x: Array, axis1: int, axis2: int) -> Array:
        """Return `x` with two axes exchanged.

        Args:
            x: an array of any shape.
            axis1: one axis.
            axis2: the other one.
        """
        order = list(range(self.ndim(x)))
        a, b = canonical_axis(axis1, len(order)), canonical_axis(axis2, len(order))
        order[a], order[b] = b, a
        return self.transpose(x, order)

    @op("x")
    def fliplr(self, x: Array) -> Array:
        """Return `x` with the order of its columns (axis 1) reversed."""
        return self.flip(x, 1)

    @op("x")
    def flipud(self, x: Array) -> Array:
        """Return `x` with the order of its rows (axis 0) reversed."""
        return self.flip(x, 0)

    @op("array")
    def rot90(self, array: Array, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Array:
        """Return `array` rotated by `k` quarter turns, from the first of two axes towards the second.

        Args:
            array: at least two axes.
            k: the number of quarter turns; a negative number turns the other way.
            axes: the two axes of the plane.

        Raises:
            ValueError: if both axes are the same.
        """
        first, second = (canonical_axis(a, self.ndim(array)) for a in axes)
        if first == second:
            raise ValueError(f"rot90: expected two different axes; received {axes}.")
        k %= 4
        if k == 2:
            return self.flip(array, (first, second))
        if k == 1:
            return self.swapaxes(self.flip(array, second), first, second)
        return self.flip(self.swapaxes(array, first, second), second) if k == 3 else array

    @op("x")
    def copy(self, x: Array) -> Array:
        """Return the same values in separate memory."""
        return self.reshape(self.concatenate([self.ravel(x)]), self.shape(x))
