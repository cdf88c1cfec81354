"""Row lookups in a table, and sums of rows at given indices: each is the gradient of the other.

JAX's own gradient of a lookup is a scatter. XLA's code for it on the CPU is slow, and adding one row after another is
faster (jax 0.10.2).
"""

from __future__ import annotations

from math import prod
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from polykeras import fast
from polykeras.backend.spec import Array
from polykeras_jax.arrays import is_whole, on_cpu
from polykeras_jax.private import CAN_DEFINE_PRIMITIVES, define_linear, primitive
from polykeras_jax.traces import current_trace

# From this row length on, adding one row after another is faster than a scatter.
_WIDE = 32

_take = primitive("polykeras_take_rows")
_add = primitive("polykeras_add_rows")


def is_added_fast(x: Array, indices: Array) -> bool:
    """Return whether adding rows of `x` here is faster than JAX's scatter: in loops on the CPU, for wide rows."""
    fits = x.dtype == np.float32 and jnp.issubdtype(indices.dtype, jnp.signedinteger)
    wide = x.ndim > 1 and prod(x.shape[1:]) >= _WIDE
    here = CAN_DEFINE_PRIMITIVES and on_cpu() and fast.enabled("rows") and current_trace().in_loop
    return here and fits and wide and is_whole(x)


def take_rows(x: Array, indices: Array) -> Array:
    """Return `x[indices]` along the first axis, for signed indices; nan if a row does not exist."""
    return _take.bind(x, indices, fill=float("nan"))


def _found(indices: Array, count: int) -> tuple[Array, Array]:
    """Return the indices counted from the first of `count` rows, and a mask of those that exist."""
    places = jnp.where(indices < 0, indices + count, indices)
    return places, (places >= 0) & (places < count)


def _taken(x: Array, indices: Array, *, fill: float) -> Array:
    """Return `x[indices]`, with `fill` for rows that do not exist.

    The check runs once for all rows. Otherwise XLA would repeat it, number by number, in each kernel that reads them.
    """
    places, there = _found(indices, x.shape[0])
    return lax.cond(
        there.all(),
        lambda: x.at[places].get(mode="promise_in_bounds"),
        lambda: jnp.take(x, indices, 0, mode="fill", fill_value=fill),
    )


def _added(values: Array, indices: Array, *, count: int) -> Array:
    """Add the rows of `values` to `count` rows of zeros at `indices`, and ignore indices out of range."""
    places, there = _found(indices.reshape(-1), count)
    rows = values.reshape(places.size, prod(values.shape[indices.ndim :]))
    rows = jnp.where(there[:, None], rows, 0)
    width = (1, rows.shape[1])
    first = jnp.zeros((), places.dtype)

    def add(i: Array, table: Array) -> Array:
        start = (places[i], first)
        return lax.dynamic_update_slice(table, lax.dynamic_slice(table, start, width) + rows[i], start)

    table = lax.fori_loop(0, places.size, add, jnp.zeros((count, rows.shape[1]), values.dtype))
    return table.reshape(count, *values.shape[indices.ndim :])


def _taken_shape(x: Any, indices: Any, *, fill: float) -> Any:
    return x.update(shape=(*indices.shape, *x.shape[1:]), weak_type=False)


def _added_shape(values: Any, indices: Any, *, count: int) -> Any:
    return values.update(shape=(count, *values.shape[indices.ndim :]), weak_type=False)


define_linear(
    _take,
    _taken,
    _taken_shape,
    lambda tangent, x, indices, fill: _take.bind(tangent, indices, fill=0.0),  # a missing row has no slope
    lambda upstream, x, indices, fill: _add.bind(upstream, indices, count=x.aval.shape[0]),
)
define_linear(
    _add,
    _added,
    _added_shape,
    lambda tangent, values, indices, count: _add.bind(tangent, indices, count=count),
    lambda upstream, values, indices, count: _take.bind(upstream, indices, fill=0.0),
)
