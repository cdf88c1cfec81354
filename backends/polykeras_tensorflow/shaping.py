"""Shapes: reordering, joining, splitting, padding and slicing."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from polykeras.backend.axes import canonical_axis
from polykeras.backend.families.joining import Joining
from polykeras.backend.families.shaping import Shaping
from polykeras.backend.spec import Array, Axis, Shape
from polykeras.backend.symbolic import UnknownDim
from polykeras.common.arguments import shape_tuple
from polykeras_tensorflow.elementwise import scalar_like
from polykeras_tensorflow.sizes import GraphSize, sizes_of

raw = tf.raw_ops


class TensorflowShaping(Shaping, Joining):
    """Moves elements without arithmetic."""

    def reshape(self, x: Array, newshape: Shape | int) -> Array:
        sizes = (newshape,) if isinstance(newshape, int) else newshape
        # A size that follows from unknown sizes, but is not one of the array's, is left to the kernel.
        return raw.Reshape(tensor=x, shape=tuple([-1 if type(n) is UnknownDim else n for n in sizes]))

    def transpose(self, x: Array, axes: Sequence[int] | None = None) -> Array:
        ndim = x.shape.rank
        axes = range(ndim - 1, -1, -1) if axes is None else axes
        return raw.Transpose(x=x, perm=tuple(canonical_axis(a, ndim) for a in axes))

    def broadcast_to(self, x: Array, shape: Shape | int) -> Array:
        return raw.BroadcastTo(input=x, shape=shape_tuple(shape))

    def concatenate(self, xs: Sequence[Array], axis: int = 0) -> Array:
        return raw.ConcatV2(values=list(xs), axis=axis) if len(xs) > 1 else xs[0]

    def tile(self, x: Array, repeats: int | Sequence[int] | Array) -> Array:
        if not isinstance(repeats, tf.Tensor) or not self.is_traced(repeats):
            return super().tile(x, repeats)
        ndim = max(x.shape.rank, repeats.shape[0])
        whole = raw.Pad(input=repeats - 1, paddings=((ndim - repeats.shape[0], 0),)) + 1  # missing ones count as 1
        return raw.Tile(input=x[(None,) * (ndim - x.shape.rank)] if ndim > x.shape.rank else x, multiples=whole)

    def constant_pad(self, x: Array, pad_width: Sequence[tuple[int, int]], value: float = 0) -> Array:
        if not pad_width:
            return x
        return raw.PadV2(input=x, paddings=[tuple(p) for p in pad_width], constant_values=scalar_like(value, x))

    def flip(self, x: Array, axis: Axis = None) -> Array:
        ndim = x.shape.rank
        axes = range(ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
        return raw.ReverseV2(tensor=x, axis=tuple(canonical_axis(a, ndim) for a in axes))

    def strided_slice(self, x: Array, start: Shape, stop: Shape, step: Shape) -> Array:
        if not start:
            return x
        # The ends must not contain unknown sizes, or the result would have no known size.
        whole = [isinstance(end, GraphSize) and end is n for end, n in zip(stop, sizes_of(x), strict=True)]
        ends = tuple([0 if all_of_it else end for all_of_it, end in zip(whole, stop, strict=True)])
        mask = sum(1 << axis for axis, all_of_it in enumerate(whole) if all_of_it)
        return raw.StridedSlice(input=x, begin=tuple(start), end=ends, strides=tuple(step), end_mask=mask)
