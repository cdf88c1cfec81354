"""Data of ours as a `tf.data.Dataset`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from polykeras.common import nested


def dataset_of(make: Callable[[], Iterator[Any]]) -> tf.data.Dataset:
    """Return a `tf.data.Dataset` of the arrays, or trees of them, that an iterator gives.

    The first element is read to learn the shapes; the size of an array's first axis may change from one to the next.

    Args:
        make: returns an iterator over the elements from their beginning.
    """

    def spec(leaf: Any) -> tf.TensorSpec:
        array = np.asarray(leaf)
        dtype = tf.string if array.dtype.kind in "OSU" else tf.as_dtype(array.dtype)
        return tf.TensorSpec((None, *array.shape[1:]) if array.ndim else (), dtype)

    first = next(make())
    return tf.data.Dataset.from_generator(make, output_signature=nested.map_structure(spec, first))
