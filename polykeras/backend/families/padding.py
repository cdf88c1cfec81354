"""Padding in all its modes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras import dtypes
from polykeras.backend.spec import Array, Family, op

_MODES = (
    "constant",
    "edge",
    "linear_ramp",
    "maximum",
    "mean",
    "median",
    "minimum",
    "reflect",
    "symmetric",
    "wrap",
    "circular",
    "empty",
)


def pad_pairs(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    """Return one `(before, after)` for each of `ndim` axes.

    Args:
        pad_width: an int, `(n,)`, `(before, after)`, `((before, after),)`, or one pair for each axis.
        ndim: the number of axes.

    Raises:
        ValueError: if `pad_width` has another form.
    """
    widths: Any = pad_width.tolist() if hasattr(pad_width, "tolist") else pad_width
    if isinstance(widths, int):
        widths = (widths,)
    if all(isinstance(n, int) for n in widths):
        widths = [(widths[0], widths[-1])] if len(widths) in (1, 2) else []
    pairs: list[Any] = [tuple(pair) for pair in widths] * (ndim if len(widths) == 1 else 1)
    if len(pairs) != ndim or any(len(pair) != 2 for pair in pairs):
        raise ValueError(
            f"pad: expected pad_width to be an int, a pair (before, after), or one pair for each of {ndim} axes; "
            f"received {pad_width}."
        )
    return pairs


class Padding(Family):
    """Composed from slices, `flip` and `concatenate`, one axis after another."""

    @op("x")
    def pad(
        self,
        x: Array,
        pad_width: int | Sequence[int] | Sequence[Sequence[int]],
        mode: str = "constant",
        constant_values: float | None = None,
    ) -> Array:
        """Return `x` with elements added before and after it along its axes.

        Args:
            x: an array.
            pad_width: the numbers: an int, `(n,)`, `(before, after)`, `((before, after),)`, or one pair for each axis.
            mode: the added elements. `"constant"`: one value. `"edge"`: the outermost element. `"reflect"` and
                `"symmetric"`: mirror images, without and with the outermost element. `"wrap"` (or `"circular"`): the
                elements of the other end. `"maximum"`, `"minimum"`, `"mean"`, `"median"`: those of the axis.
                `"linear_ramp"`: a ramp down to 0. `"empty"`: unspecified.
            constant_values: the value for `"constant"`; 0 by default.

        Raises:
            ValueError: if the mode is unknown, a value is given for another mode, or a mode finds no element to
                continue.
        """
        pairs = pad_pairs(pad_width, self.ndim(x))
        if mode not in _MODES:
            raise ValueError(f"pad: expected a mode of {', '.join(_MODES)}; received {mode!r}.")
        if constant_values is not None and mode != "constant":
            raise ValueError(f'pad: `constant_values` belongs to mode "constant"; received mode {mode!r}.')
        if mode in ("constant", "empty"):
            return self.constant_pad(x, pairs, 0 if constant_values is None else constant_values)
        for axis, (before, after) in enumerate(pairs):
            if before or after:
                if not self.shape(x)[axis]:
                    raise ValueError(f"pad: nothing to continue along axis {axis} of shape {self.shape(x)}.")
                x = self._pad_axis(x, before, after, axis, mode)
        return x

    def _pad_axis(self, x: Array, before: int, after: int, axis: int, mode: str) -> Array:
        if mode in ("wrap", "circular"):
            return self._wrapped(x, before, after, axis)
        if mode in ("reflect", "symmetric"):
            return self._mirrored(x, before, after, axis, 1 if mode == "reflect" else 0)
        if mode in ("edge", "linear_ramp"):
            n = self.shape(x)[axis]
            ends = self.slice_axis(x, 0, 1, axis), self.slice_axis(x, n - 1, n, axis)
        else:
            ends = (self._summary(x, axis, mode),) * 2
        left, right = (self._repeated(end, count, axis) for end, count in zip(ends, (before, after), strict=True))
        if mode == "linear_ramp":
            left, right = self._ramp(left, before, axis), self.flip(self._ramp(right, after, axis), axis)
        return self.concatenate([left, x, right], axis)

    def _repeated(self, end: Array, count: int, axis: int) -> Array:
        shape = self.shape(end)
        return self.broadcast_to(end, (*shape[:axis], count, *shape[axis + 1 :]))

    def _summary(self, x: Array, axis: int, mode: str) -> Array:
        reduce = {"maximum": self.max, "minimum": self.min, "mean": self.mean, "median": self.median}[mode]
        dtype = self.dtype(x)
        if mode == "median":
            x = self.cast(x, dtypes.float_type(dtype))
        summary = reduce(x, axis, True)
        return self.cast(summary if self.dtype(summary) == dtype else self.round(summary), dtype)

    def _ramp(self, edge: Array, count: int, axis: int) -> Array:
        """Return `edge`, repeated `count` times, scaled from 0 up to just below 1."""
        dtype = self.dtype(edge)
        exact = dtypes.float_type(dtype)
        shape = (-1, *(1,) * (self.ndim(edge) - axis - 1))
        scale = self.reshape(self.arange(count, dtype=exact) / max(count, 1), shape)
        values = self.cast(edge, exact) * scale
        return self.cast(self.floor(values) if dtypes.is_int(dtype) else values, dtype)

    def _mirrored(self, x: Array, before: int, after: int, axis: int, skip: int) -> Array:
        """Mirror at both ends, as often as the padding needs. The mirror leaves out `skip` elements at each end."""
        while before or after:
            n = self.shape(x)[axis]
            if n <= skip:
                return self._pad_axis(x, before, after, axis, "edge")
            left, right = min(before, n - skip), min(after, n - skip)
            parts = [
                self.flip(self.slice_axis(x, skip, skip + left, axis), axis),
                x,
                self.flip(self.slice_axis(x, n - skip - right, n - skip, axis), axis),
            ]
            x = self.concatenate([part for part, count in zip(parts, (left, 1, right), strict=True) if count], axis)
            before, after = before - left, after - right
        return x

    def _wrapped(self, x: Array, before: int, after: int, axis: int) -> Array:
        n = self.shape(x)[axis]
        parts = [self.slice_axis(x, n - before % n, n, axis), *[x] * (before // n), x]
        parts += [*[x] * (after // n), self.slice_axis(x, 0, after % n, axis)]
        return self.concatenate(parts, axis)
