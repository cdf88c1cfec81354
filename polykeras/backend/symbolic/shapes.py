"""Shapes, reductions, indexing and sorting without values."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Literal

from polykeras import dtypes
from polykeras.backend.axes import canonical_axis
from polykeras.backend.families.indexing import Indexing
from polykeras.backend.families.reduction import Reduction
from polykeras.backend.families.shaping import Shaping
from polykeras.backend.families.sorting import Sorting
from polykeras.backend.spec import Axis, Shape
from polykeras.backend.symbolic.array import SymbolicArray
from polykeras.backend.symbolic.core import combine_strictly
from polykeras.backend.symbolic.dims import (
    Dims,
    UnknownDim,
    agree,
    as_dims,
    broadcast,
    infer_reshape,
    is_known,
    merge,
    stand_in,
)


def _canonical(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return the axes of a reduction, counted from the front.

    Raises:
        ValueError: if an axis is out of range, or named twice.
    """
    if axis is None:
        return tuple(range(ndim))
    axes = tuple(canonical_axis(a, ndim) for a in ((axis,) if isinstance(axis, int) else axis))
    if len(set(axes)) < len(axes):
        raise ValueError(f"Axes {axis} name an axis twice.")
    return axes


def reduced(shape: Dims, axis: Axis, keepdims: bool) -> Dims:
    """Return the shape of a reduction over `axis`."""
    axes = _canonical(axis, len(shape))
    return tuple(1 if i in axes else n for i, n in enumerate(shape) if keepdims or i not in axes)


def _extremum(x: SymbolicArray, axis: Axis, keepdims: bool, has_initial: bool) -> SymbolicArray:
    axes = _canonical(axis, len(x.dims))
    if not has_initial and any(is_known(x.dims[a]) and x.dims[a] == 0 for a in axes):
        raise ValueError(f"No elements to reduce: received shape {x.dims}, axis {axis}, no `initial`.")
    return SymbolicArray(reduced(x.dims, axis, keepdims), x.dtype)


def _along(x: SymbolicArray, axis: int | None) -> Dims:
    """Return the shape of `x`, flat if `axis` is None. Otherwise check that it has that axis."""
    if axis is None:
        return (prod(x.dims),)
    canonical_axis(axis, len(x.dims))
    return x.dims


def _check_block(x: SymbolicArray, start: Any, block: Dims) -> None:
    starts = start.dims[0] if isinstance(start, SymbolicArray) else len(start)
    fits = len(block) == len(x.dims) == starts
    if not fits or any(m > n for m, n in zip(block, x.dims, strict=True) if is_known(m) and is_known(n)):
        raise ValueError(
            f"slice: expected one start index for each axis and a block that fits in x; received x of shape {x.dims}, "
            f"{starts} start indices and a block of shape {block}."
        )


class SymbolicShapes(Shaping, Indexing, Sorting, Reduction):
    """Families shaping, reduction, indexing and sorting."""

    # ---- shaping -----------------------------------------------------------------------------------------------

    def reshape(self, x: SymbolicArray, newshape: Shape | int) -> SymbolicArray:
        shape = infer_reshape(x.dims, as_dims(newshape))
        same = x.sizes is not None and shape in ((), (len(x.sizes),))
        return SymbolicArray(shape, x.dtype, x.sizes if same else None)

    def transpose(self, x: SymbolicArray, axes: Sequence[int] | None = None) -> SymbolicArray:
        order = _canonical(tuple(reversed(range(len(x.dims)))) if axes is None else axes, len(x.dims))
        if len(order) != len(x.dims):
            raise ValueError(f"transpose: expected a permutation of {len(x.dims)} axes; received {axes}.")
        return SymbolicArray(tuple(x.dims[a] for a in order), x.dtype)

    def broadcast_to(self, x: SymbolicArray, shape: Shape) -> SymbolicArray:
        dims = as_dims(shape)
        extra = len(dims) - len(x.dims)
        if extra < 0 or any(not agree(m, n) and m != 1 for m, n in zip(x.dims, dims[extra:], strict=True)):
            raise ValueError(f"broadcast_to: shape {x.dims} does not broadcast to {dims}.")
        return SymbolicArray(dims, x.dtype)

    def concatenate(self, xs: Sequence[SymbolicArray], axis: int = 0) -> SymbolicArray:
        if not xs or not xs[0].dims:
            raise ValueError(f"concatenate: expected arrays of at least one axis; received {xs}.")
        axis = canonical_axis(axis, len(xs[0].dims))
        dtype = combine_strictly("concatenate", *(SymbolicArray((), x.dtype) for x in xs)).dtype
        shape = merge([x.dims for x in xs], axis, "concatenate")
        parts = [x.sizes for x in xs]
        sizes = None if None in parts or len(shape) > 1 else tuple(size for part in parts if part for size in part)
        return SymbolicArray((*shape[:axis], sum(x.dims[axis] for x in xs), *shape[axis + 1 :]), dtype, sizes)

    def constant_pad(self, x: SymbolicArray, pad_width: Sequence[tuple[int, int]], value: float = 0) -> SymbolicArray:
        if len(pad_width) != len(x.dims) or any(n < 0 for pair in pad_width for n in pair):
            raise ValueError(
                f"pad: expected one (before, after) of non-negative ints for each axis of shape {x.dims}; "
                f"received {pad_width}."
            )
        shape = tuple(n + before + after for n, (before, after) in zip(x.dims, pad_width, strict=True))
        return SymbolicArray(shape, x.dtype)

    def flip(self, x: SymbolicArray, axis: Axis = None) -> SymbolicArray:
        _canonical(axis, len(x.dims))
        return x

    def strided_slice(self, x: SymbolicArray, start: Shape, stop: Shape, step: Shape) -> SymbolicArray:
        if not len(start) == len(stop) == len(step) == len(x.dims):
            raise ValueError(
                f"strided_slice: expected one start, stop and step for each axis of shape {x.dims}; received "
                f"{start}, {stop}, {step}."
            )
        return x[tuple(map(slice, start, stop, step))]

    # ---- reductions --------------------------------------------------------------------------------------------

    def sum(self, x: SymbolicArray, axis: Axis = None, keepdims: bool = False) -> SymbolicArray:
        return SymbolicArray(reduced(x.dims, axis, keepdims), dtypes.sum_type(x.dtype))

    def prod(
        self, x: SymbolicArray, axis: Axis = None, keepdims: bool = False, dtype: str | None = None
    ) -> SymbolicArray:
        return SymbolicArray(reduced(x.dims, axis, keepdims), dtype or dtypes.sum_type(x.dtype))

    def max(
        self, x: SymbolicArray, axis: Axis = None, keepdims: bool = False, initial: float | None = None
    ) -> SymbolicArray:
        return _extremum(x, axis, keepdims, initial is not None)

    def min(
        self, x: SymbolicArray, axis: Axis = None, keepdims: bool = False, initial: float | None = None
    ) -> SymbolicArray:
        return _extremum(x, axis, keepdims, initial is not None)

    def any(self, x: SymbolicArray, axis: Axis = None, keepdims: bool = False) -> SymbolicArray:
        return SymbolicArray(reduced(x.dims, axis, keepdims), "bool")

    def all(self, x: SymbolicArray, axis: Axis = None, keepdims: bool = False) -> SymbolicArray:
        return SymbolicArray(reduced(x.dims, axis, keepdims), "bool")

    def argmax(self, x: SymbolicArray, axis: int | None = None, keepdims: bool = False) -> SymbolicArray:
        return SymbolicArray(_extremum(x, axis, keepdims, False).dims, "int32")

    def cumsum(self, x: SymbolicArray, axis: int | None = None, dtype: str | None = None) -> SymbolicArray:
        return SymbolicArray(_along(x, axis), dtype or dtypes.number_type(x.dtype))

    def cumprod(self, x: SymbolicArray, axis: int | None = None, dtype: str | None = None) -> SymbolicArray:
        return SymbolicArray(_along(x, axis), dtype or dtypes.number_type(x.dtype))

    # ---- indexing ----------------------------------------------------------------------------------------------

    def take(self, x: SymbolicArray, indices: SymbolicArray, axis: int | None = None) -> SymbolicArray:
        if axis is None:
            return SymbolicArray(indices.dims, x.dtype)
        axis = canonical_axis(axis, len(x.dims))
        return SymbolicArray(x.dims[:axis] + indices.dims + x.dims[axis + 1 :], x.dtype)

    def take_along_axis(self, x: SymbolicArray, indices: SymbolicArray, axis: int | None = None) -> SymbolicArray:
        if axis is None:
            return SymbolicArray((prod(indices.dims),), x.dtype)
        if len(x.dims) != len(indices.dims):
            raise ValueError(
                f"take_along_axis: expected indices with as many axes as x; received shapes {x.dims} and "
                f"{indices.dims}."
            )
        axis = canonical_axis(axis, len(x.dims))
        rest = (*x.dims[:axis], indices.dims[axis], *x.dims[axis + 1 :])
        shape = broadcast(rest, indices.dims, where="take_along_axis")
        return SymbolicArray(shape, x.dtype)

    def scatter_reduce(
        self,
        x: SymbolicArray,
        indices: SymbolicArray,
        values: SymbolicArray,
        reduction: Literal["set", "add", "max", "min", "mul"] = "add",
    ) -> SymbolicArray:
        depth = indices.dims[-1] if indices.dims else 0
        expected = indices.dims[:-1] + x.dims[depth:]
        if not indices.dims or depth > len(x.dims) or len(values.dims) != len(expected):
            fits = False
        else:
            fits = all(map(agree, values.dims, expected))
        if not fits:
            raise ValueError(
                "scatter: expected indices of shape (..., k) and values of shape indices.dims[:-1] + x.dims[k:]; "
                f"received x {x.dims}, indices {indices.dims}, values {values.dims}."
            )
        combine_strictly("scatter", SymbolicArray((), x.dtype), SymbolicArray((), values.dtype))
        return x

    def dynamic_slice(self, x: SymbolicArray, start_indices: SymbolicArray, shape: Shape) -> SymbolicArray:
        dims = as_dims(shape)
        _check_block(x, start_indices, dims)
        return SymbolicArray(dims, x.dtype)

    def dynamic_update_slice(
        self, x: SymbolicArray, start_indices: SymbolicArray, updates: SymbolicArray
    ) -> SymbolicArray:
        _check_block(x, start_indices, updates.dims)
        combine_strictly("slice_update", SymbolicArray((), x.dtype), SymbolicArray((), updates.dtype))
        return x

    # ---- sorting -----------------------------------------------------------------------------------------------

    def sort(self, x: SymbolicArray, axis: int | None = -1) -> SymbolicArray:
        return SymbolicArray(_along(x, axis), x.dtype)

    def argsort(self, x: SymbolicArray, axis: int | None = -1) -> SymbolicArray:
        return SymbolicArray(_along(x, axis), "int32")

    def searchsorted(
        self, sorted_sequence: SymbolicArray, values: SymbolicArray, side: Literal["left", "right"] = "left"
    ) -> SymbolicArray:
        if len(sorted_sequence.dims) != 1:
            raise ValueError(f"searchsorted: expected a sorted vector; received shape {sorted_sequence.dims}.")
        return SymbolicArray(values.dims, "int32")

    def nonzero(self, x: SymbolicArray) -> tuple[SymbolicArray, ...]:
        count = UnknownDim(stand_in.get())
        return tuple(SymbolicArray((count,), "int32") for _ in x.dims)
