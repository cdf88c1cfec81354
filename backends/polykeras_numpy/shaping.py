"""Shapes: reorder, join, split, pad and slice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras.backend.families.joining import Joining
from polykeras.backend.families.shaping import Shaping
from polykeras.backend.spec import Array, Axis, Shape
from polykeras.common.arguments import shape_tuple
from polykeras_numpy.tape import anp, fit, primitive, rule, rule_all


@primitive
def _concatenate(axis: int, *xs: Any) -> np.ndarray:
    return np.concatenate(xs, axis)


@primitive
def _stack(axis: int, *xs: Any) -> np.ndarray:
    return np.stack(xs, axis)


@primitive
def _pad(x: Any, pad_width: Sequence[tuple[int, int]], value: float) -> np.ndarray:
    out = np.full([n + before + after for n, (before, after) in zip(x.shape, pad_width, strict=True)], value, x.dtype)
    out[_inner(x, pad_width)] = x
    return out


@primitive
def _flip(x: Any, axis: int | tuple[int, ...] | None) -> np.ndarray:
    return np.flip(x, axis)


@primitive
def broadcast_to(x: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return `x` broadcast to `shape`; unlike autograd's own function, this can add axes."""
    return np.broadcast_to(x, shape)


def _inner(x: Any, pad_width: Sequence[tuple[int, int]]) -> tuple[slice, ...]:
    return tuple(slice(before, before + n) for n, (before, _) in zip(x.shape, pad_width, strict=True))


def _part(g: Any, place: int, ans: Any, axis: int, *xs: Any) -> Any:
    """Return the part of a joined gradient that belongs to argument `place` (argument 0 is the axis)."""
    start = sum(x.shape[axis] for x in xs[: place - 1])
    return g[(slice(None),) * (axis % ans.ndim) + (slice(start, start + xs[place - 1].shape[axis]),)]


rule(anp.reshape, lambda g, ans, x, *shape, **options: anp.reshape(g, x.shape, **options))
rule(anp.transpose, lambda g, ans, x, axes=None: anp.transpose(g, None if axes is None else np.argsort(axes)))
rule(broadcast_to, lambda g, ans, x, shape: fit(g, x))
rule_all(_concatenate, _part)
rule_all(_stack, lambda g, i, ans, axis, *xs: g[(slice(None),) * (axis % ans.ndim) + (i - 1,)])
rule(_pad, lambda g, ans, x, pad_width, value: g[_inner(x, pad_width)])
rule(_flip, lambda g, ans, x, axis: _flip(g, axis))


class NumpyShaping(Shaping, Joining):
    """Results are views if NumPy gives views, because nothing writes into an array."""

    def reshape(self, x: Array, newshape: Shape | int) -> Array:
        return anp.reshape(x, newshape if isinstance(newshape, int) else tuple(newshape))

    def transpose(self, x: Array, axes: Sequence[int] | None = None) -> Array:
        return anp.transpose(x, None if axes is None else tuple(a % x.ndim for a in axes))

    def broadcast_to(self, x: Array, shape: Shape | int) -> Array:
        return broadcast_to(x, shape_tuple(shape))

    def tile(self, x: Array, repeats: int | Sequence[int] | Array) -> Array:
        # The composite may return a view of repeated memory, which `*=` cannot write to.
        return self.copy(super().tile(x, repeats))

    def concatenate(self, xs: Sequence[Array], axis: int = 0) -> Array:
        return _concatenate(axis, *xs)

    def stack(self, x: Sequence[Array], axis: int = 0) -> Array:
        return _stack(axis, *x)

    def constant_pad(self, x: Array, pad_width: Sequence[tuple[int, int]], value: float = 0) -> Array:
        return _pad(x, pad_width, value)

    def flip(self, x: Array, axis: Axis = None) -> Array:
        return _flip(x, tuple(axis) if isinstance(axis, Sequence) else axis)

    def strided_slice(self, x: Array, start: Shape, stop: Shape, step: Shape) -> Array:
        return x[tuple(slice(*triple) for triple in zip(start, stop, step, strict=True))]
