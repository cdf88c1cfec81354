"""Functions of the host within TensorFlow's graphs, for instance in a map over a `tf.data.Dataset`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf


def on_host(function: Callable[..., Any], arrays: list[Any], specs: Callable[..., list[tuple[Any, str]]]) -> Any:
    """Return graph tensors for the results of a function of host arrays; see `Provider.on_host`."""
    if not any(map(tf.is_symbolic_tensor, tf.nest.flatten(arrays, expand_composites=True))):
        return NotImplemented
    tensors = [x if isinstance(x, (tf.Tensor, tf.RaggedTensor)) else tf.convert_to_tensor(x) for x in arrays]
    found = specs(*(tuple(x.shape) if x.shape.rank is not None else (None,) for x in tensors))
    targets = [tf.as_dtype(dtype) for _, dtype in found]

    def call(*parts: np.ndarray) -> list[Any]:
        given = tf.nest.pack_sequence_as(tensors, [tf.constant(part) for part in parts], expand_composites=True)
        results = function(*(x if isinstance(x, tf.RaggedTensor) else x.numpy() for x in given))
        pairs = zip(results, targets, strict=True)
        return [x if target == tf.string else x.astype(target.as_numpy_dtype) for x, target in pairs]

    results = tf.numpy_function(call, tf.nest.flatten(tensors, expand_composites=True), targets)
    if all(x.shape.rank is not None for x in tensors):
        for result, (shape, _) in zip(results, found, strict=True):
            result.set_shape(shape)
    return results
