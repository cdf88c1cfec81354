"""Helpers for shapes that are passed to layers: trees of shapes, and the arguments of Keras 2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras.common.arguments import shape_tuple


def take_input_shape(kwargs: dict[str, Any]) -> tuple[int | None, ...] | None:
    """Remove Keras 2's arguments for an input's shape from `kwargs`, and return the shape with its batch axis."""
    batch_shape = kwargs.pop("batch_input_shape", None)
    batch_size = kwargs.pop("batch_size", None)
    shape = kwargs.pop("input_shape", None)
    width = kwargs.pop("input_dim", None)
    length = kwargs.pop("input_length", None)
    if batch_shape is not None:
        return tuple(batch_shape)
    if shape is None and width is not None:
        shape = (width,) if length is None else (length, width)
    if shape is None:
        return None
    return (batch_size, *shape_tuple(shape))


def _is_shape(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(n is None or isinstance(n, (int, np.integer)) for n in value)


def map_shapes(fn: Callable[[Any], Any], shapes: Any) -> Any:
    """Map `fn` over the shapes in a tree, as tuples of ints and None."""
    if _is_shape(shapes):
        return fn(shape_tuple(shapes))
    if isinstance(shapes, dict):
        return {key: map_shapes(fn, value) for key, value in shapes.items()}
    if isinstance(shapes, (list, tuple)):
        return type(shapes)(map_shapes(fn, value) for value in shapes)
    return shapes
