"""Indexing by arrays, sorting and searching on JAX."""

from __future__ import annotations

from typing import Literal

import jax.numpy as jnp
from jax import lax

from polykeras.backend.families.indexing import Indexing
from polykeras.backend.families.sorting import Sorting
from polykeras.backend.spec import Array, Shape
from polykeras_jax.rows import is_added_fast, take_rows

# What happens to an index out of range. "fill" keeps the contract: the value is unspecified (nan for floats, which is
# easy to see), and no other element's gradient changes. "clip" would add the gradient to the last element.
_MODE = "fill"


def _wide(indices: Array) -> Array:
    """Return indices with at least 32 bits: a narrow dtype cannot hold `index + size` for a negative index."""
    return indices.astype("int32") if indices.dtype.itemsize < 4 else indices


class JaxIndexing(Indexing, Sorting):
    """See `indexing` and `sorting` in `polykeras.backend.families`."""

    def take(self, x: Array, indices: Array, axis: int | None = None) -> Array:
        indices = _wide(indices)
        if indices.size == 0 and x.size == 0 and axis is not None:  # jnp.take loses the shape of the indices here
            place = axis % x.ndim
            return jnp.zeros((*x.shape[:place], *indices.shape, *x.shape[place + 1 :]), x.dtype)
        if axis == 0 and is_added_fast(x, indices):
            return take_rows(x, indices)
        return jnp.take(x, indices, axis, mode=_MODE)

    def take_along_axis(self, x: Array, indices: Array, axis: int | None = None) -> Array:
        return jnp.take_along_axis(x, _wide(indices), axis, mode=_MODE)

    def scatter_reduce(
        self, x: Array, indices: Array, values: Array, reduction: Literal["set", "add", "max", "min", "mul"] = "add"
    ) -> Array:
        indices = _wide(indices)
        place = x.at[tuple(indices[..., i] for i in range(indices.shape[-1]))]
        updates = {"set": place.set, "add": place.add, "max": place.max, "min": place.min, "mul": place.multiply}
        return updates[reduction](values, mode="drop")

    def dynamic_slice(self, x: Array, start_indices: Array, shape: Shape) -> Array:
        return lax.dynamic_slice(x, list(_wide(start_indices)), tuple(shape))

    def dynamic_update_slice(self, x: Array, start_indices: Array, updates: Array) -> Array:
        return lax.dynamic_update_slice(x, jnp.asarray(updates, x.dtype), list(_wide(start_indices)))

    def sort(self, x: Array, axis: int | None = -1) -> Array:
        return jnp.sort(x, axis)

    def argsort(self, x: Array, axis: int | None = -1) -> Array:
        return jnp.argsort(x, axis, stable=True).astype("int32")

    def searchsorted(self, sorted_sequence: Array, values: Array, side: Literal["left", "right"] = "left") -> Array:
        return jnp.searchsorted(sorted_sequence, values, side).astype("int32")

    def nonzero(self, x: Array) -> tuple[Array, ...]:
        if self.is_traced(x):
            raise TypeError(
                "nonzero: the number of elements that are not 0 is not known inside a compiled function. "
                "Use `where` with a mask there, or call nonzero outside."
            )
        return tuple(place.astype("int32") for place in jnp.nonzero(x))
