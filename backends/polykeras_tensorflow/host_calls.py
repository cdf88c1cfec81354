"""Functions of the host within TensorFlow's graphs, for instance in a map over a `tf.data.Dataset`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf


def on_host(function: Callable[..., Any], arrays: list[Any], spec: Callable[..., tuple[Any, str]]) -> Any:
    """Return a graph tensor for the result of a function of host arrays; see `Provider.on_host`."""
    if not any(map(tf.is_symbolic_tensor, tf.nest.flatten(arrays, expand_composites=True))):
        return NotImplemented
    tensors = [x if isinstance(x, (tf.Tensor, tf.RaggedTensor)) else tf.convert_to_tensor(x) for x in arrays]
    shape, dtype = spec(*(tuple(x.shape) if x.shape.rank is not None else (None,) for x in tensors))
    target = tf.as_dtype(dtype)

    def call(*parts: np.ndarray) -> Any:
        given = tf.nest.pack_sequence_as(tensors, [tf.constant(part) for part in parts], expand_composites=True)
        result = function(*(x if isinstance(x, tf.RaggedTensor) else x.numpy() for x in given))
        return result if target == tf.string else result.astype(target.as_numpy_dtype)

    result = tf.numpy_function(call, tf.nest.flatten(tensors, expand_composites=True), target)
    if all(x.shape.rank is not None for x in tensors):
        result.set_shape(shape)
    return result
