"""Joining, repeating, splitting and shifting of arrays."""

from __future__ import annotations

from collections.abc import Sequence

from polykeras import dtypes
from polykeras.backend.axes import canonical_axis
from polykeras.backend.spec import Array, Family, op
from polykeras.common import budget


class Joining(Family):
    """Composed from `concatenate`, `reshape`, `broadcast_to` and slices."""

    def slice_axis(self, x: Array, start: int, stop: int, axis: int) -> Array:
        """Return `x[start:stop]` along one axis, counted from the front."""
        return x[(slice(None),) * axis + (slice(start, stop),)]

    # ---- join --------------------------------------------------------------------------------------------------

    @op("x1 x2", "common")
    def append(self, x1: Array, x2: Array, axis: int | None = None) -> Array:
        """Return `x2` joined to the end of `x1` along `axis`; both are flattened if it is None.

        Args:
            x1: an array of any shape.
            x2: has the shape of `x1`, except along `axis`.
            axis: one axis, or None.
        """
        x1, x2 = self.both_arrays(x1, x2)
        if axis is None:
            return self.concatenate([self.ravel(x1), self.ravel(x2)])
        return self.concatenate([x1, x2], axis)

    @op("xs", "common")
    def hstack(self, xs: Sequence[Array]) -> Array:
        """Return arrays joined along their second axis; vectors and scalars along the first."""
        parts = [self.reshape(x, (1,)) if self.ndim(x) == 0 else x for x in xs]
        return self.concatenate(parts, 0 if self.ndim(parts[0]) == 1 else 1)

    @op("xs", "common")
    def vstack(self, xs: Sequence[Array]) -> Array:
        """Return arrays joined along their first axis; vectors are rows."""
        return self.concatenate([x if self.ndim(x) > 1 else self.reshape(x, (1, -1)) for x in xs], 0)

    @op("xs", "common")
    def dstack(self, xs: Sequence[Array]) -> Array:
        """Return arrays joined along their third axis, which is added to vectors and matrices."""
        rows = [x if self.ndim(x) > 1 else self.reshape(x, (1, -1)) for x in xs]
        return self.concatenate([x if self.ndim(x) > 2 else self.expand_dims(x, 2) for x in rows], 2)

    @op("xs", "common")
    def column_stack(self, xs: Sequence[Array]) -> Array:
        """Return arrays joined along their second axis; vectors and scalars are columns."""
        return self.concatenate([x if self.ndim(x) > 1 else self.reshape(x, (-1, 1)) for x in xs], 1)

    # ---- repeat ------------------------------------------------------------------------------------------------

    @op("x")
    def tile(self, x: Array, repeats: int | Sequence[int] | Array) -> Array:
        """Return `x` repeated `repeats[i]` times along axis `i`; missing numbers and axes count as 1.

        Args:
            x: an array of any shape.
            repeats: one int for each axis, or a vector of them; a single int repeats the last axis.
        """
        counts = self._counts(repeats)
        shape = self.shape(x)
        ndim = max(len(counts), len(shape))
        counts = (1,) * (ndim - len(counts)) + counts
        shape = (1,) * (ndim - len(shape)) + shape
        paired = self.reshape(x, tuple(n for size in shape for n in (1, size)))
        paired = self.broadcast_to(paired, tuple(n for pair in zip(counts, shape, strict=True) for n in pair))
        return self.reshape(paired, tuple(r * n for r, n in zip(counts, shape, strict=True)))

    def _counts(self, repeats: int | Sequence[int] | Array) -> tuple[int, ...]:
        """Return the repeats of `tile` as ints."""
        if self.is_tensor(repeats):
            message = "tile: the repeats are not known while a function is compiled. Give ints."
            repeats = self.sizes_from(repeats, message)
        return (repeats,) if isinstance(repeats, int) else tuple(repeats)

    # ---- split -------------------------------------------------------------------------------------------------

    @op("x")
    def split(self, x: Array, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Array]:
        """Return `x` cut along `axis`.

        Args:
            x: an array.
            indices_or_sections: the number of equal parts, or the indices to cut at.
            axis: the axis.

        Raises:
            ValueError: if the axis does not divide into so many equal parts.
        """
        axis = canonical_axis(axis, self.ndim(x))
        n = self.shape(x)[axis]
        if isinstance(indices_or_sections, int):
            if indices_or_sections < 1 or n % indices_or_sections:
                raise ValueError(
                    f"split: axis {axis} of shape {self.shape(x)} does not divide into {indices_or_sections} equal "
                    "parts. Use array_split for parts of two sizes, or give the indices to cut at."
                )
            step = n // indices_or_sections
            budget.spend(indices_or_sections)
            return self._cut(x, [i * step for i in range(1, indices_or_sections)], axis)
        return self._cut(x, [i if isinstance(i, int) else int(i) for i in indices_or_sections], axis)

    @op("x")
    def array_split(self, x: Array, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Array]:
        """Return `x` cut along `axis`, like `split`. If it does not divide evenly, the first parts are one longer.

        Args:
            x: an array of any shape.
            indices_or_sections: the number of parts, or the indices to cut at.
            axis: one axis.

        Raises:
            ValueError: if there is less than one part.
        """
        if not isinstance(indices_or_sections, int):
            return self.split(x, indices_or_sections, axis)
        axis = canonical_axis(axis, self.ndim(x))
        sections = indices_or_sections
        if sections < 1:
            raise ValueError(f"array_split: expected at least one part; received {sections}.")
        budget.spend(sections)
        size, longer = self.shape(x)[axis] // sections, self.shape(x)[axis] % sections
        return self._cut(x, [i * size + min(i, longer) for i in range(1, sections)], axis)

    def _cut(self, x: Array, places: Sequence[int], axis: int) -> list[Array]:
        ends = [*places, self.shape(x)[axis]]
        return [self.slice_axis(x, start, stop, axis) for start, stop in zip([0, *places], ends, strict=True)]

    @op("x")
    def hsplit(self, x: Array, indices_or_sections: int | Sequence[int]) -> list[Array]:
        """Return `x` split along its second axis, a vector along its first.

        Args:
            x: at least one axis.
            indices_or_sections: the number of parts, or the indices to cut at.
        """
        return self.split(x, indices_or_sections, 0 if self.ndim(x) == 1 else 1)

    @op("x")
    def vsplit(self, x: Array, indices_or_sections: int | Sequence[int]) -> list[Array]:
        """Return `x` split along its first axis.

        Args:
            x: at least one axis.
            indices_or_sections: the number of parts, or the indices to cut at.
        """
        return self.split(x, indices_or_sections, 0)

    @op("x")
    def dsplit(self, x: Array, indices_or_sections: int | Sequence[int]) -> list[Array]:
        """Return `x` split along its third axis.

        Args:
            x: at least three axes.
            indices_or_sections: the number of parts, or the indices to cut at.
        """
        return self.split(x, indices_or_sections, 2)

    # ---- bits ----------------------------------------------------------------------------------------------------

    @op("x")
    def view(self, x: Array, dtype: str | None = None) -> Array:
        """Return the bytes of `x` read as another dtype, in little-endian order.

        Args:
            x: integers, floats or bools.
            dtype: an integer or float dtype; None is that of `x`. If its width differs, the last axis grows or shrinks
                by the ratio.

        Raises:
            TypeError: if one of the dtypes is neither an integer nor a float dtype.
            ValueError: if the bytes of the last axis do not form whole elements.
        """
        own: str = self.dtype(x)
        dtype = dtype or own
        x = self.cast(x, "uint8") if self.dtype(x) == "bool" else x
        old, new = dtypes.bits(self.dtype(x)), dtypes.bits(dtype)
        if {self.dtype(x), dtype} & {"bool", *dtypes.COMPLEX}:
            raise TypeError(f"view: expected integers or floats; received {self.dtype(x)} to be read as {dtype}.")
        if old == new:
            return x if self.dtype(x) == dtype else self.bitcast(x, dtype)
        if not self.shape(x) or self.shape(x)[-1] * old % new:
            raise ValueError(f"view: the last axis of shape {self.shape(x)} and {self.dtype(x)} does not fit {dtype}.")
        words = self.bitcast(x, f"int{old}")
        if old > new:
            parts = [self.cast(self.right_shift(words, i * new), f"int{new}") for i in range(old // new)]
            words = self.reshape(self.stack(parts, -1), (*self.shape(x)[:-1], self.shape(x)[-1] * (old // new)))
        else:
            count = new // old
            words = self.reshape(
                self.cast(words, f"int{new}"), (*self.shape(x)[:-1], self.shape(x)[-1] // count, count)
            )
            words = self.bitwise_and(words, (1 << old) - 1)
            total = words[..., 0]
            for i in range(1, count):
                total = self.bitwise_or(total, self.left_shift(words[..., i], i * old))
            words = total
        return self.bitcast(words, dtype)

    # ---- shift -------------------------------------------------------------------------------------------------

    @op("x")
    def roll(self, x: Array, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Array:
        """Return `x` shifted towards higher indices; elements that leave at the end come back at the start.

        Args:
            x: an array.
            shift: the number of places; an int, or one for each of several axes.
            axis: one axis, or several; None shifts the flat array.

        Raises:
            ValueError: if the numbers of shifts and axes differ.
        """
        if axis is None:
            total = sum(shift) if isinstance(shift, Sequence) else shift
            return self.reshape(self.roll(self.ravel(x), total, 0), self.shape(x))
        axes = (axis,) if isinstance(axis, int) else tuple(axis)
        shifts = tuple(shift) if isinstance(shift, Sequence) else (shift,) * len(axes)
        if len(shifts) != len(axes) and len(axes) > 1:
            raise ValueError(f"roll: expected as many shifts as axes; received shift {shift} and axis {axis}.")
        for by, a in zip(shifts, axes * (len(shifts) if len(axes) == 1 else 1), strict=True):
            place = canonical_axis(a, self.ndim(x))
            n = self.shape(x)[place]
            if n and by % n:
                cut = n - by % n
                parts = [self.slice_axis(x, cut, n, place), self.slice_axis(x, 0, cut, place)]
                x = self.concatenate(parts, place)
        return x
