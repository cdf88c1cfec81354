"""Data sets of polykeras as a `tf.data.Dataset`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from polykeras.common import nested


def dataset_of(make: Callable[[], Iterator[Any]]) -> tf.data.Dataset:
    """Return a `tf.data.Dataset` of the arrays, or trees of arrays, that an iterator yields.

    The first element is read to learn the shapes. The first axis of an array may have another size in each element.

    Args:
        make: returns a new iterator over the elements.
    """

    def spec(leaf: Any) -> tf.TensorSpec:
        array = np.asarray(leaf)
        dtype = tf.string if array.dtype.kind in "OSU" else tf.as_dtype(array.dtype)
        return tf.TensorSpec((None, *array.shape[1:]) if array.ndim else (), dtype)

    first = next(make())
    return tf.data.Dataset.from_generator(make, output_signature=nested.map_structure(spec, first))
