"""Arrays: conversion, shape, dtype and device."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from polykeras import dtypes
from polykeras.backend import Backend, registry
from polykeras.backend.dispatch import bind
from polykeras.backend.families.normalization import refuse_sparse
from polykeras.backend.handles import Handle, Symbolic, convert
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike, DTypeLike
from polykeras.ops.by_hand import gives_way

__all__ = [
    "cast",
    "convert_to_numpy",
    "convert_to_tensor",
    "device",
    "dtype",
    "is_tensor",
    "rearrange",
    "saturate_cast",
    "shape",
    "stop_gradient",
    "unstack",
]

cast = bind(Backend.cast)
saturate_cast = bind(Backend.saturate_cast)
stop_gradient = bind(Backend.stop_gradient)
unstack = bind(Backend.unstack)
rearrange = bind(Backend.rearrange)


@gives_way
def convert_to_tensor(
    x: ArrayLike, dtype: DTypeLike = None, sparse: bool | None = None, ragged: bool | None = None
) -> Array:
    """Return `x` as an array of the current backend.

    Args:
        x: an array of any framework, a variable, a number or a nested list.
        dtype: the dtype of the result; by default that of `x`, or the default float dtype for Python floats.
        sparse: not supported; must not be set.
        ragged: not supported; must not be set.

    Raises:
        ValueError: if `sparse` or `ragged` is set.
    """
    refuse_sparse(sparse, "convert_to_tensor")
    if ragged:
        raise ValueError("convert_to_tensor: there are no ragged arrays on any backend; leave `ragged` out.")
    backend = registry.current()
    name = None if dtype is None else dtypes.standardize_dtype(dtype)
    if isinstance(x, Handle) or backend.is_tensor(x):
        array = convert(backend, x)
        return array if name is None or backend.dtype(array) == name else backend.cast(array, name)
    return backend.asarray(x, name)


def convert_to_numpy(x: ArrayLike) -> np.ndarray:
    """Return `x` as a NumPy array. This waits for its computation. Of a NumPy array it is a copy, in the same dtype.

    Raises:
        TypeError: if `x` has no values: it is symbolic, or inside a compiled function.
    """
    if isinstance(x, Symbolic):
        raise TypeError(f"A symbolic tensor has no values: {x!r}. Call the model on arrays and convert its result.")
    if isinstance(x, (np.ndarray, np.generic)):
        return np.array(x)
    backend = registry.current()
    return backend.to_numpy(convert(backend, x))


def is_tensor(x: Any) -> bool:
    """Return whether `x` is an array of the current backend, traced or not."""
    return registry.current().is_tensor(x)


def shape(x: ArrayLike) -> tuple[int, ...]:
    """Return the shape of `x` as ints. Only a `KerasTensor`, outside of layers, may have None for an unknown size."""
    if isinstance(x, (Symbolic, Handle)):
        return tuple(x.shape)  # type: ignore[union-attr]
    backend = registry.current()
    if not backend.is_tensor(x) and hasattr(x, "shape"):  # of another framework, which may be tracing it
        return tuple(x.shape)  # type: ignore[union-attr]
    return backend.shape(convert(backend, x))


def dtype(x: ArrayLike) -> str:
    """Return the dtype of `x` by name."""
    if isinstance(x, (Symbolic, Handle)):
        return x.dtype  # type: ignore[union-attr]
    backend = registry.current()
    return backend.dtype(convert(backend, x))


def device(device_name: str) -> AbstractContextManager[None]:
    """Return a context in which the current backend makes new arrays on a device, such as `"cpu:0"` or `"gpu:1"`."""
    return registry.current().device_scope(device_name)
