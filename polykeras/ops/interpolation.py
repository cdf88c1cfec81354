"""Interpolation along one axis: the pixels that make each pixel of the result, and their weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common import budget
from polykeras.common.types import ArrayLike

__all__: list[str] = []  # a family of ops lists its public names here; there are none


def _triangle(t: ArrayLike, xp: ArrayLike) -> Array:
    return xp.maximum(0.0, 1.0 - xp.abs(t))


def _cubic(t: ArrayLike, xp: ArrayLike) -> Array:
    # Keys, "Cubic convolution interpolation for digital image processing", 1981, with a = -1/2.
    t = xp.abs(t)
    near, far = (1.5 * t - 2.5) * t * t + 1.0, ((-0.5 * t + 2.5) * t - 4.0) * t + 2.0
    return xp.where(t < 1.0, near, xp.where(t < 2.0, far, 0.0))


def _lanczos(radius: int) -> Callable[[Any, Any], Any]:
    return lambda t, xp: xp.where(xp.abs(t) < radius, xp.sinc(t) * xp.sinc(t / radius), 0.0)


KERNELS: dict[str, tuple[int, Callable[[Any, Any], Any]]] = {
    "bilinear": (1, _triangle),
    "bicubic": (2, _cubic),
    "lanczos3": (3, _lanczos(3)),
    "lanczos5": (5, _lanczos(5)),
}
"""For each interpolation, the reach of a pixel and its weight by distance, in terms of NumPy's functions or ours."""

INTERPOLATIONS = ("nearest", "area", *KERNELS)

_FEW = 12
"""Up to this number, pixels are added one by one. More become a product with a mostly empty matrix."""


@lru_cache(maxsize=64)
def _taps(interpolation: str, size: int, target: int, antialias: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels that make each pixel of the result, and their weights, both `(taps, target)`.

    Pixels are squares with the value at their centre. At the border, the weights of the existing pixels sum to 1.
    """
    ratio = size / target
    radius, kernel = KERNELS.get(interpolation, (0, _triangle))
    width = max(ratio, 1.0) if antialias else 1.0
    reach = math.ceil(radius * width)
    taps = {"nearest": 1, "area": math.ceil(ratio) + 1}.get(interpolation, 2 * reach)
    budget.spend(taps * target)  # before memory of that size is used
    place = (np.arange(target) + 0.5) * ratio
    if interpolation == "nearest":
        first = np.floor(place.astype("float32"))
    elif interpolation == "area":
        first = np.floor(place - 0.5 * ratio)
    else:
        first = np.floor(place - 0.5) + 1 - reach
    source = first.astype("int32") + np.arange(taps, dtype="int32")[:, None]
    if interpolation == "nearest":
        weight = np.ones(source.shape)
    elif interpolation == "area":
        left, right = place - 0.5 * ratio, place + 0.5 * ratio
        weight = np.maximum(0.0, np.minimum(right, source + 1.0) - np.maximum(left, source))
    else:
        weight = kernel((place - 0.5 - source) / width, np)
    weight = weight * ((source >= 0) & (source < size))
    return np.clip(source, 0, size - 1), weight / weight.sum(axis=0)


def resize_axis(x: Array, axis: int, target: int, interpolation: str, antialias: bool = False) -> Array:
    """Return `x` with one axis resized.

    Args:
        x: floats; any dtype for `"nearest"`.
        axis: the axis, not negative.
        target: the new size of the axis.
        interpolation: one of `INTERPOLATIONS`.
        antialias: whether to widen the kernel if the axis becomes shorter, so that all pixels count.
    """
    dims, name = ops.shape(x), ops.dtype(x)
    sources, weights = _taps(interpolation, dims[axis], target, antialias)
    if interpolation == "nearest":
        return ops.take(x, sources[0], axis=axis)
    if len(sources) > _FEW:
        matrix = np.zeros((target, dims[axis]))
        np.add.at(matrix, (np.arange(target), sources), weights)
        return ops.moveaxis(ops.tensordot(ops.convert_to_tensor(matrix, name), x, ((1,), (axis,))), 0, axis)
    along = [-1 if i == axis else 1 for i in range(len(dims))]
    total = None
    for source, weight in zip(sources, weights, strict=True):
        part = ops.multiply(ops.take(x, source, axis=axis), ops.reshape(ops.convert_to_tensor(weight, name), along))
        total = part if total is None else ops.add(total, part)
    return total
