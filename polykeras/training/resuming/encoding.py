"""Plain data and arrays as JSON data and a list of arrays. `decode(encode(value))` equals the value exactly."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from polykeras import dtypes
from polykeras.backend import registry
from polykeras.saving.limits import MAX_NUMBER

_DEEPEST = 50  # the deepest nesting; a list that contains itself ends here too
_MANY = 64  # the length from which a list of numbers becomes an array


def encode(value: Any, arrays: list[np.ndarray], strict: bool = False, depth: int = 0) -> Any:
    """Return a description of a value that JSON can represent.

    Args:
        value: None, bools, ints, floats, strings, NumPy arrays and scalars; also in lists, tuples, sets, deques and
            dicts.
        arrays: arrays are appended to this list. The description refers to their places.
        strict: refuse values that would come back as another type: arrays of frameworks and subclasses of dict.
        depth: the depth of the value in an outer one.

    Raises:
        TypeError: the value is or contains anything else.
    """
    if depth > _DEEPEST:
        raise TypeError(f"data that are nested more than {_DEEPEST} deep, or contain themselves, cannot be kept.")
    if isinstance(value, (np.ndarray, np.generic)):
        return _array(value, arrays)
    if value is None or type(value) in (bool, str, float):
        return value
    if type(value) is int:
        return value if abs(value) < MAX_NUMBER else {"$int": hex(value)}

    def within(items: Any) -> Any:
        packed = _packed(items, arrays)
        return [encode(item, arrays, strict, depth + 1) for item in items] if packed is None else packed

    if type(value) is list:
        return within(value)
    if type(value) in (tuple, set, frozenset):
        return {f"${type(value).__name__}": within(value)}
    if type(value) is deque:
        return {"$deque": within(value), "most": value.maxlen}
    if type(value) is dict or (isinstance(value, dict) and not strict):
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: encode(item, arrays, strict, depth + 1) for key, item in value.items()}
        return {"$dict": [within(pair) for pair in value.items()]}
    if not strict and hasattr(value, "__array__"):
        backend = registry.current()
        return _array(backend.to_numpy(value) if backend.is_tensor(value) else np.asarray(value), arrays)
    raise TypeError(f"a value of type {type(value).__name__} is neither plain data nor a NumPy array.")


def _packed(items: Any, arrays: list[np.ndarray]) -> Any:
    """Return a description of many numbers of one type as one array; None for other items. A long text is not read."""
    if len(items) < _MANY:
        return None
    kinds = set(map(type, items))
    if kinds == {float}:
        array = np.array([*items], "float64")
    elif kinds == {int} and max(map(abs, items)) < MAX_NUMBER:
        array = np.array([*items], "int64")
    else:
        return None
    arrays.append(array)
    return {"$numbers": len(arrays) - 1}


def _array(value: Any, arrays: list[np.ndarray]) -> Any:
    array = np.asarray(value)
    if array.dtype.fields is not None or array.dtype.kind not in "biufcV":
        if array.dtype.kind == "U":
            return encode(value.tolist(), arrays) if isinstance(value, np.ndarray) else str(value)
        raise TypeError(f"an array of {array.dtype} cannot be kept.")
    try:
        dtypes.standardize_dtype(array.dtype)
    except ValueError:
        raise TypeError(f"an array of {array.dtype} cannot be kept.") from None
    arrays.append(array)
    return {"$scalar" if isinstance(value, np.generic) else "$array": len(arrays) - 1}


def decode(described: Any, arrays: list[np.ndarray]) -> Any:
    """Return the value that `encode` described.

    Args:
        described: the description.
        arrays: the arrays to which it refers.
    """
    if isinstance(described, list):
        return [decode(item, arrays) for item in described]
    if not isinstance(described, dict):
        return described
    tag = next(iter(described), "")
    if not tag.startswith("$"):
        return {key: decode(item, arrays) for key, item in described.items()}
    inner = described[tag]
    if tag == "$numbers":
        return arrays[inner].tolist()
    if tag == "$int":
        return int(inner, 16)
    if tag in ("$array", "$scalar"):
        return arrays[inner] if tag == "$array" else arrays[inner][()]
    if tag == "$dict":
        return {decode(key, arrays): decode(item, arrays) for key, item in inner}
    items = decode(inner, arrays)
    if tag == "$deque":
        return deque(items, described["most"])
    return {"$tuple": tuple, "$set": set, "$frozenset": frozenset}[tag](items)


def can_encode(value: Any) -> bool:
    """Return whether `encode` takes a value and `decode` restores it exactly."""
    try:
        encode(value, [], strict=True)
    except TypeError:
        return False
    return True
