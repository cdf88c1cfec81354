"""Objects that JSON cannot express, written as in Keras 3: tuples, slices, arrays, bytes."""

from __future__ import annotations

import base64
import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras import dtypes

NOTHING = object()

_MOST_IN_LISTS = 1000
"""Larger arrays are written as bytes, since their lists would be too long to be read again. Keras reads only lists."""


def encode(obj: Any) -> Any:
    """Return the description of such an object, or `NOTHING` for other objects."""
    if isinstance(obj, (np.integer, np.floating, np.bool_)):
        return obj.item()
    if isinstance(obj, np.ndarray) and obj.size > _MOST_IN_LISTS and obj.dtype.name in dtypes.ALL:
        native = np.ascontiguousarray(obj)
        if (native.dtype.byteorder == ">") or (native.dtype.byteorder == "=" and sys.byteorder == "big"):
            native = native.byteswap()
        data = base64.b64encode(native.tobytes()).decode("ascii")
        return _tagged("__numpy__", {"data": data, "dtype": obj.dtype.name, "shape": list(obj.shape)})
    if isinstance(obj, np.ndarray):
        return _tagged("__numpy__", {"value": obj.tolist(), "dtype": obj.dtype.name})
    if isinstance(obj, bytes):
        return _tagged("__bytes__", {"value": base64.b64encode(obj).decode("ascii"), "encoding": "base64"})
    if isinstance(obj, slice):
        return _tagged("__slice__", {"start": obj.start, "stop": obj.stop, "step": obj.step})
    if obj is Ellipsis:
        return _tagged("__ellipsis__", {})
    return NOTHING


def _tagged(name: str, config: Any) -> dict[str, Any]:
    return {"class_name": name, "config": config}


def decode(name: str, inner: Any, within: Callable[[Any], Any]) -> Any:
    """Return the object of a description, or `NOTHING` if it is of another kind.

    Args:
        name: the `class_name` of the description.
        inner: the `config` of the description.
        within: decodes the parts of a tuple.
    """
    if name in ("__numpy__", "__tensor__"):
        # Only a dtype of polykeras: NumPy has dtypes of arbitrary size.
        dtype = dtypes.numpy_dtype(dtypes.standardize_dtype(str(inner["dtype"])))
        return _array_of_bytes(inner, dtype) if "data" in inner else np.array(inner["value"], dtype=dtype)
    if name == "__bytes__":
        text = inner["value"]
        return base64.b64decode(text) if inner.get("encoding") == "base64" else str(text).encode("utf-8")
    if name == "__slice__":
        return slice(inner["start"], inner["stop"], inner["step"])
    if name == "__ellipsis__":
        return Ellipsis
    if name == "__tuple__":
        return tuple(within(part) for part in inner)
    return NOTHING


def _array_of_bytes(inner: Any, dtype: np.dtype[Any]) -> np.ndarray:
    """Return an array that is written as its little-endian bytes."""
    data, shape = base64.b64decode(inner["data"], validate=True), inner["shape"]
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"an array has the shape {str(shape)[:100]}.")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"an array of shape {tuple(shape)} and dtype {dtype} cannot have {len(data)} bytes.")
    stored = np.frombuffer(data, np.uint8 if dtype.kind == "b" else dtype)
    if sys.byteorder == "big":
        stored = stored.byteswap()
    # A new array that may be changed. For bools, any byte that is not 0 is true.
    return (stored != 0 if dtype.kind == "b" else stored.copy()).reshape(shape)
