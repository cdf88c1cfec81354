"""Indexing by arrays, sorting and searching."""

from __future__ import annotations

from math import prod
from typing import Literal

import numpy as np
import tensorflow as tf

from polykeras.backend.axes import canonical_axis
from polykeras.backend.families.indexing import Indexing
from polykeras.backend.families.sorting import Sorting
from polykeras.backend.spec import Array, Shape
from polykeras.backend.symbolic import UnknownDim
from polykeras.backend.symbolic.dims import broadcast
from polykeras_tensorflow.elementwise import HALVES
from polykeras_tensorflow.private import is_in_control_flow, write_in_loop, write_slice
from polykeras_tensorflow.sizes import sizes_of
from polykeras_tensorflow.xla import are_limited, note_range

raw = tf.raw_ops


def _indices(indices: Array) -> Array:
    """Return indices in a dtype that the kernels accept."""
    return indices if indices.dtype in (tf.int32, tf.int64) else raw.Cast(x=indices, DstT=tf.int32)


def _wrap(indices: Array, sizes: int | Shape, checked: bool = True) -> Array:
    """Return indices with negative ones counted from the end of axes of these sizes, which TensorFlow does not do.

    `checked`: whether they must be in range; otherwise the caller ensures it.
    """
    indices = _indices(indices)
    # With several columns, each index is in range if it is in range for the shortest axis.
    known = isinstance(sizes, int) or not any(isinstance(n, UnknownDim) for n in sizes)
    if known and are_limited(indices, sizes if isinstance(sizes, int) else min(sizes, default=0)):
        return indices
    limits = tf.convert_to_tensor(sizes, indices.dtype)
    wrapped = raw.SelectV2(condition=raw.Less(x=indices, y=tf.zeros_like(indices)), t=indices + limits, e=indices)
    if checked:
        note_range(wrapped, limits)
    return wrapped


def _sort_keys(x: Array) -> Array:
    """Return integers (int32 or int64) in the order of `x`, where -0 equals 0, and nan comes after inf.

    The bits of positive floats, read as integers, have the same order; those of negative floats the opposite order.
    """
    dtype = x.dtype
    if dtype in HALVES:
        x = raw.Cast(x=x, DstT=tf.float32)
    if x.dtype.is_floating:
        word = tf.int32 if x.dtype == tf.float32 else tf.int64
        zero, nan = tf.zeros_like(x), tf.fill(sizes_of(x), tf.constant(np.nan, x.dtype))
        x = raw.SelectV2(condition=raw.Equal(x=x, y=zero), t=zero, e=x)
        x = raw.SelectV2(condition=raw.IsNan(x=x), t=nan, e=x)
        bits = raw.Bitcast(input=x, type=word)
        sign = raw.RightShift(x=bits, y=tf.constant(word.size * 8 - 1, word))
        return raw.BitwiseXor(x=bits, y=raw.BitwiseAnd(x=sign, y=tf.constant(word.max, word)))
    if dtype == tf.uint64:
        return raw.BitwiseXor(x=raw.Bitcast(input=x, type=tf.int64), y=tf.constant(tf.int64.min, tf.int64))
    wide = tf.int64 if dtype in (tf.int64, tf.uint32) else tf.int32
    return raw.Cast(x=x, DstT=wide)


class TensorflowIndexing(Indexing, Sorting):
    """Reads and writes at computed indices."""

    def take(self, x: Array, indices: Array, axis: int | None = None) -> Array:
        if axis is None:
            x, axis = raw.Reshape(tensor=x, shape=(-1,)), 0
        axis = canonical_axis(axis, x.shape.rank)
        return raw.GatherV2(params=x, indices=_wrap(indices, sizes_of(x)[axis]), axis=axis)

    def take_along_axis(self, x: Array, indices: Array, axis: int | None = None) -> Array:
        if axis is None:
            return self.take(x, raw.Reshape(tensor=indices, shape=(-1,)))
        ndim = x.shape.rank
        axis = canonical_axis(axis, ndim)
        order = [*(a for a in range(ndim) if a != axis), axis]
        x, indices = self.transpose(x, order), self.transpose(_wrap(indices, sizes_of(x)[axis]), order)
        *outer, size = self.shape(x)
        *outer_indices, count = self.shape(indices)
        shared = broadcast(tuple(outer), tuple(outer_indices))
        # Gathered from one flat vector, so that the gradient is a single sum over segments.
        rows = prod(shared)
        x = raw.Reshape(tensor=tf.broadcast_to(x, (*shared, size)), shape=(rows * size,))
        indices = raw.Reshape(tensor=tf.broadcast_to(indices, (*shared, count)), shape=(rows, count))
        offsets = raw.Reshape(tensor=tf.range(rows, dtype=indices.dtype) * size, shape=(rows, 1))
        taken = raw.Reshape(tensor=raw.GatherV2(params=x, indices=indices + offsets, axis=0), shape=(*shared, count))
        return self.transpose(taken, [*range(axis), ndim - 1, *range(axis, ndim - 1)])

    def scatter_reduce(
        self, x: Array, indices: Array, values: Array, reduction: Literal["set", "add", "max", "min", "mul"] = "add"
    ) -> Array:
        depth = indices.shape[-1]
        sizes = self.shape(x)
        indices = _wrap(indices, sizes[:depth])
        if x.dtype.is_bool and reduction != "set":
            result = self.scatter_reduce(self.cast(x, "uint8"), indices, self.cast(values, "uint8"), reduction)
            return self.cast(result, "bool")
        if reduction == "mul":  # there is no kernel: multiply by the product of the values for each index
            weights = np.cumprod((1, *sizes[:depth][:0:-1]))[::-1]
            rows = raw.Sum(input=indices * tf.constant(weights.copy(), indices.dtype), axis=(-1,))
            product = raw.UnsortedSegmentProd(data=values, segment_ids=rows, num_segments=prod(sizes[:depth]))
            return x * raw.Reshape(tensor=product, shape=sizes)
        kernels = {
            "set": raw.TensorScatterUpdate,
            "add": raw.TensorScatterAdd,
            "max": raw.TensorScatterMax,
            "min": raw.TensorScatterMin,
        }
        return kernels[reduction](tensor=x, indices=indices, updates=values)

    def dynamic_slice(self, x: Array, start_indices: Array, shape: Shape) -> Array:
        begin = self._block_start(x, start_indices, shape)
        return raw.Slice(input=x, begin=begin, size=tf.convert_to_tensor(tuple(shape), begin.dtype))

    def dynamic_update_slice(self, x: Array, start_indices: Array, updates: Array) -> Array:
        shape = self.shape(updates)
        if not shape:
            return updates
        begin = self._block_start(x, start_indices, shape)
        return (write_in_loop if is_in_control_flow() else write_slice)(x, begin, updates)

    def _block_start(self, x: Array, start_indices: Array, shape: Shape) -> Array:
        sizes = self.shape(x)
        start = _wrap(start_indices, sizes, checked=False)
        last = tf.convert_to_tensor([n - m for n, m in zip(sizes, shape, strict=True)], start.dtype)
        return raw.Maximum(x=raw.Minimum(x=start, y=last), y=tf.zeros_like(start))

    def sort(self, x: Array, axis: int | None = -1) -> Array:
        if axis is None:
            x, axis = raw.Reshape(tensor=x, shape=(-1,)), 0
        return self.take_along_axis(x, self.argsort(x, axis), axis)

    def argsort(self, x: Array, axis: int | None = -1) -> Array:
        if axis is None:
            x, axis = raw.Reshape(tensor=x, shape=(-1,)), 0
        ndim = x.shape.rank
        axis = canonical_axis(axis, ndim)
        swap = [*range(ndim)]
        swap[axis], swap[-1] = swap[-1], swap[axis]
        # TopKV2 returns the largest first and, of equal elements, the first one first: apply it to the complements.
        keys = raw.Invert(x=self.transpose(_sort_keys(x), swap))
        return self.transpose(raw.TopKV2(input=keys, k=sizes_of(keys)[-1], sorted=True).indices, swap)

    def searchsorted(self, sorted_sequence: Array, values: Array, side: Literal["left", "right"] = "left") -> Array:
        search = raw.LowerBound if side == "left" else raw.UpperBound
        rows = raw.Reshape(tensor=_sort_keys(sorted_sequence), shape=(1, -1))
        wanted = raw.Reshape(tensor=_sort_keys(values), shape=(1, -1))
        found = search(sorted_inputs=rows, values=wanted, out_type=tf.int32)
        return raw.Reshape(tensor=found, shape=self.shape(values))

    def nonzero(self, x: Array) -> tuple[Array, ...]:
        if tf.is_symbolic_tensor(x):
            raise TypeError(
                "nonzero: the number of elements that are not 0 is unknown inside a compiled function. "
                "Use where(condition, x1, x2), or call nonzero outside."
            )
        places = raw.Cast(x=raw.Where(condition=self.cast(x, "bool")), DstT=tf.int32)
        return tuple(tf.unstack(places, axis=1))
