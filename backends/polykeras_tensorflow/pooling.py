"""Maxima of windows on images, and their gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from polykeras import fast
from polykeras.backend.spec import Array
from polykeras_tensorflow.arrays import has_gpu
from polykeras_tensorflow.graphs import constant, spec_of, trace
from polykeras_tensorflow.private import has_onednn
from polykeras_tensorflow.sharing import shared
from polykeras_tensorflow.xla import note_part

raw = tf.raw_ops

LARGE = 2**19  # numbers; with fewer, compiling takes longer than the gradients of an epoch


def max_pool_images(x: Array, pool_size: Sequence[int], strides: Sequence[int]) -> Array:
    """Return the maximum of each window of floats, `(batch, height, width, channels)`, without padding."""
    window: dict[str, Any] = {"ksize": [1, *pool_size, 1], "strides": [1, *strides, 1], "padding": "VALID"}
    tiles = tuple(pool_size) == tuple(strides) and (x.shape.num_elements() or 0) >= LARGE
    known = has_onednn() and x.dtype == tf.float32  # then oneDNN's gradient is faster
    if not tiles or known or not fast.enabled("pooling-gradients") or has_gpu():
        return raw.MaxPool(input=x, **window)

    @tf.custom_gradient
    def pooled(x: Array) -> tuple[Array, Any]:
        y = raw.MaxPool(input=x, **window)

        def gradient(dy: Array) -> Array:
            if tf.executing_eagerly():  # otherwise it would be compiled for each shape
                return raw.MaxPoolGrad(orig_input=x, orig_output=y, grad=dy, **window)
            note_part()
            specs = [spec_of(array) for array in (x, y, dy)]
            compiled = shared(trace(lambda *arrays: [_gradient(*arrays, *pool_size)], specs, xla=True))
            return compiled(x, y, dy)[0]

        return y, gradient

    return pooled(x)


def _gradient(x: Array, y: Array, dy: Array, rows: int, columns: int) -> Array:
    """Return the gradient in `x` if the windows tile it: the gradient in `y`, at the first maximum of each window.

    It consists of comparisons, which XLA compiles to one loop. TensorFlow's own kernel takes four times as long, a
    third of the step of a convolutional network (TensorFlow 2.21, `maxpooling_op.cc`).
    """
    batch, height, width, channels = x.shape
    down, across = y.shape[1:3]
    tiled = raw.Reshape(
        tensor=x[:, : down * rows, : across * columns], shape=(batch, down, rows, across, columns, channels)
    )
    best, given = (raw.Reshape(tensor=a, shape=(batch, down, 1, across, 1, channels)) for a in (y, dy))
    none = tf.constant(rows * columns)
    places = tf.reshape(tf.range(none), (rows, 1, columns, 1))
    found = raw.SelectV2(condition=raw.Equal(x=tiled, y=best), t=places, e=none)
    first = raw.LogicalAnd(
        x=raw.Equal(x=found, y=raw.Min(input=found, axis=(2, 4), keep_dims=True)), y=raw.Less(x=found, y=none)
    )
    result = raw.SelectV2(condition=first, t=given, e=constant(0, dy.dtype))
    result = raw.Reshape(tensor=result, shape=(batch, down * rows, across * columns, channels))
    return tf.pad(result, [(0, 0), (0, height - down * rows), (0, width - across * columns), (0, 0)])
