"""Indexing by arrays, sorting and searching."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from polykeras.backend.families.indexing import Indexing
from polykeras.backend.families.sorting import Sorting
from polykeras.backend.spec import Array, Shape
from polykeras_numpy.private import SparseObject, vspace
from polykeras_numpy.tape import primitive, put, raw, rule

_COMBINE = {"add": np.add, "max": np.maximum, "min": np.minimum, "mul": np.multiply}


@primitive
def _take(x: Any, indices: Any, axis: int) -> Any:
    return np.take(x, indices, axis)


@primitive
def _put_rows(g: Any, indices: Any, axis: int, space: Any) -> SparseObject:
    """Return zeros with the slices of `g` added at `indices` along `axis`; sorting first is faster than `add.at`."""

    def add_to(total: np.ndarray) -> np.ndarray:
        rows = np.moveaxis(np.reshape(g, (*space.shape[:axis], np.size(indices), *space.shape[axis + 1 :])), axis, 0)
        places = np.ravel(indices) % space.shape[axis]
        order = np.argsort(places, kind="stable")
        places = places[order]
        starts = np.flatnonzero(np.concatenate(([True], places[1:] != places[:-1])))
        target = np.moveaxis(total, axis, 0)
        target[places[starts]] += np.add.reduceat(rows[order], starts, axis=0)
        return total

    return SparseObject(space, add_to if np.size(indices) else lambda total: total)


@primitive
def _take_along(x: Any, indices: Any, axis: int) -> np.ndarray:
    return np.take_along_axis(x, indices, axis)


def _along(shape: tuple[int, ...], indices: Any, axis: int) -> tuple[np.ndarray, ...]:
    """Return the index that `take_along_axis` reads with."""
    grid = [np.arange(n).reshape((-1,) + (1,) * (len(shape) - 1 - i)) for i, n in enumerate(shape)]
    return (*grid[:axis], indices, *grid[axis + 1 :])


@primitive
def _scatter(x: Any, index: tuple[Any, ...], values: Any, reduction: str) -> np.ndarray:
    out = np.array(x)
    if reduction == "set":
        out[index] = values
    else:
        _COMBINE[reduction].at(out, index, values)
    return out


def _losers_zeroed(g: Any, index: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    """Return the gradient of values that were set, with zeros for those that a later value overwrote."""
    number = np.arange(index[0].size).reshape(index[0].shape)
    last = np.zeros(shape[: len(index)], number.dtype)
    last[index] = number
    kept = last[index] == number
    return g[index] * kept.reshape(kept.shape + (1,) * (len(shape) - len(index))).astype(g.dtype)


def _scatter_vjp_x(g: Any, ans: Any, x: Any, index: Any, values: Any, reduction: str) -> Any:
    if reduction == "add":
        return g
    if reduction == "set":
        return _scatter(g, index, np.zeros(values.shape, g.dtype), "set")
    raise NotImplementedError


def _scatter_vjp_values(g: Any, ans: Any, x: Any, index: Any, values: Any, reduction: str) -> Any:
    if reduction == "add":
        return g[index]
    if reduction == "set":
        return _losers_zeroed(g, index, x.shape)
    raise NotImplementedError


@primitive
def _write(x: Any, block: tuple[slice, ...], updates: Any) -> np.ndarray:
    out = np.array(x)
    out[block] = updates
    return out


def _no_gradient(*_: Any) -> Any:
    raise AssertionError("an index carries no gradient")


rule(_take, lambda g, ans, x, indices, axis: _put_rows(g, indices, axis, vspace(x)))
rule(_put_rows, lambda h, ans, g, indices, axis, space: _take(h, indices, axis))
rule(_take_along, lambda g, ans, x, indices, axis: put(g, _along(x.shape, indices, axis), vspace(x)))
rule(_scatter, _scatter_vjp_x, _no_gradient, _scatter_vjp_values)
rule(_write, lambda g, ans, x, block, updates: _write(g, block, np.zeros(updates.shape, g.dtype)), _no_gradient,
     lambda g, ans, x, block, updates: g[block])  # fmt: skip


def _ordered(x: Any) -> np.ndarray:
    """Return the values in a dtype that NumPy sorts with nan last; NumPy cannot do this for bfloat16."""
    values = raw(x)
    return values.astype(np.float32) if values.dtype.name == "bfloat16" else values


class NumpyIndexing(Indexing, Sorting):
    """NumPy raises IndexError for an index out of range, so that mistakes show here first."""

    def take(self, x: Array, indices: Array, axis: int | None = None) -> Array:
        if axis is None:
            x, axis = self.reshape(x, -1), 0
        return _take(x, raw(indices), axis % x.ndim)

    def take_along_axis(self, x: Array, indices: Array, axis: int | None = None) -> Array:
        if axis is None:
            x, indices, axis = self.reshape(x, -1), self.reshape(indices, -1), 0
        return _take_along(x, indices, axis % x.ndim)

    def scatter_reduce(
        self, x: Array, indices: Array, values: Array, reduction: Literal["set", "add", "max", "min", "mul"] = "add"
    ) -> Array:
        return _scatter(x, tuple(np.moveaxis(indices, -1, 0)), self.asarray(values, self.dtype(x)), reduction)

    def _block(self, x: Array, start_indices: Array, shape: Shape) -> tuple[slice, ...]:
        """Return the slices of a block, moved inward if it would extend beyond the array."""
        starts = [s + n if s < 0 else s for s, n in zip(np.asarray(start_indices).tolist(), x.shape, strict=True)]
        starts = [max(0, min(s, n - size)) for s, n, size in zip(starts, x.shape, shape, strict=True)]
        return tuple(slice(s, s + size) for s, size in zip(starts, shape, strict=True))

    def dynamic_slice(self, x: Array, start_indices: Array, shape: Shape) -> Array:
        return x[self._block(x, start_indices, shape)]

    def dynamic_update_slice(self, x: Array, start_indices: Array, updates: Array) -> Array:
        return _write(x, self._block(x, start_indices, updates.shape), updates)

    def sort(self, x: Array, axis: int | None = -1) -> Array:
        if axis is None:
            x, axis = self.reshape(x, -1), -1
        return self.take_along_axis(x, np.argsort(_ordered(x), axis, kind="stable"), axis)

    def argsort(self, x: Array, axis: int | None = -1) -> Array:
        return np.argsort(_ordered(x), axis, kind="stable").astype(np.int32)

    def searchsorted(self, sorted_sequence: Array, values: Array, side: Literal["left", "right"] = "left") -> Array:
        return np.searchsorted(raw(sorted_sequence), raw(values), side).astype(np.int32)

    def nonzero(self, x: Array) -> tuple[Array, ...]:
        return tuple(places.astype(np.int32) for places in np.nonzero(raw(x)))
