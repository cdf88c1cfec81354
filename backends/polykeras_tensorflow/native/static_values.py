"""Tensors of a graph as numbers of Python's, where the graph knows them, as it knows `tf.shape(x)[0]`."""

from __future__ import annotations

from functools import wraps
from typing import Any

import numpy as np
import tensorflow as tf


def accept_static_values() -> None:
    """Let Python take tensors of a graph whose values are known: as ints, and sizes as a list to loop over."""
    cls: Any = tf.Tensor
    cls.__index__ = _index
    cls.__iter__ = _for_static_values(cls.__iter__)


def _static_value(x: tf.Tensor) -> Any:
    """Return the value of a tensor of a graph as a NumPy array, or None where it is not known."""
    if not tf.is_symbolic_tensor(x):
        return None
    value = tf.get_static_value(x)
    if value is None and x.op.type == "StridedSlice" and x.op.get_attr("shrink_axis_mask") == 1:
        sizes, place = x.op.inputs[0], tf.get_static_value(x.op.inputs[1])
        if place is not None and place.shape == (1,):
            whole = tf.get_static_value(sizes)
            if whole is None and sizes.op.type == "Shape":
                whole = sizes.op.inputs[0].shape
            size = None if whole is None else whole[int(place[0])]
            return None if size is None else np.asarray(size)
    return None if value is None else np.asarray(value)


def _index(self: tf.Tensor) -> int:
    value = _static_value(self)
    if value is None or value.ndim or value.dtype.kind not in "iu":
        raise TypeError(
            f"{self.name!r} is computed when the graph runs: it is no int of Python's, by which a loop could run or a "
            "list be indexed, while the graph is made."
        )
    return int(value)


def _for_static_values(iterate: Any) -> Any:
    """Return `Tensor.__iter__` such that it loops over the sizes in a `tf.shape(x)`, if these are known."""

    @wraps(iterate)
    def method(self: Any) -> Any:
        value = _static_value(self)
        return iterate(self) if value is None or value.ndim != 1 else iter(value.tolist())

    return method
