"""Chunks of training steps for XLA: the loop is part of the program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from polykeras.backend.spec import Array
from polykeras.backend.steps import PureStep, State, check_state, specs_of
from polykeras_jax.arrays import name_of, settled, strong
from polykeras_jax.compiling import for_programs
from polykeras_jax.traces import in_loop

Loop = Callable[..., tuple[State, Any]]
"""`(state, data, indices, start, stop, in_order) -> (state, logs)`; `in_order`: each batch is a run of rows."""
_LARGE = 2**16  # numbers in the data; from this size on XLA may copy even a small part in several threads


def loop_of(step: PureStep, asarray: Callable[[Any], Array]) -> Loop:
    """Return the loop over a step; `asarray` converts the numbers in its logs to arrays."""
    step_here = for_programs(lambda: _once(step, asarray))

    def loop(state: State, data: Any, indices: Array, start: Array, stop: Array, in_order: bool) -> tuple[State, Any]:
        once, rows = step_here(), _run if in_order else _rows

        def advance(i: Array, carry: tuple[State, Any]) -> tuple[State, Any]:
            return once(carry[0], rows(data, indices[i]))

        state = [strong(leaf) for leaf in state]
        _, logs = jax.eval_shape(lambda: once(state, rows(data, indices[start])))
        return lax.fori_loop(start, stop, advance, (state, _zeros(logs)))

    return loop


def _logs(logs: dict[str, Any], asarray: Callable[[Any], Array]) -> dict[str, Array]:
    return {name: strong(asarray(value)) for name, value in logs.items()}


def _once(step: PureStep, asarray: Callable[[Any], Array]) -> PureStep:
    """Return a step that keeps the types of its state; it is traced once, for its logs' shapes and for the loop."""

    @jax.jit
    def once(state: State, batch: Any) -> tuple[State, Any]:
        new, logs = in_loop(step)(state, batch)
        return _kept(state, new), _logs(logs, asarray)

    return once


def _kept(old: State, new: State) -> State:
    """Return the state after a step, in the types of the state before it."""
    after = [settled(value, before) for value, before in zip(new, old, strict=False)] + new[len(old) :]
    check_state(specs_of(old, name_of), specs_of(after, name_of))
    return after


def _rows(data: Any, row: Array) -> Any:
    """Return the batch at the given rows. They exist, so no step checks them."""
    return jax.tree.map(lambda leaf: leaf.at[row].get(mode="promise_in_bounds"), data)


def _run(data: Any, row: Array) -> Any:
    """Return the batch at consecutive rows."""
    return jax.tree.map(lambda leaf: _cut(leaf, row[0], len(row)), data)


def _cut(leaf: Array, first: Array, count: int) -> Array:
    """Return `count` rows from `first` on; large data are copied in two blocks, which share a row if `count` is odd.

    XLA uses several threads to slice or gather large data, however few rows it takes. The rest of the step then waits
    for the last of them, which may share its core with the thread that reads a stream. Blocks avoid this.
    """
    if leaf.size < _LARGE or count == 1:
        return lax.dynamic_slice_in_dim(leaf, first, count)
    block = (count + 1) // 2

    def copy(i: Array, batch: Array) -> Array:
        place = i.astype(first.dtype) * (count - block)
        return lax.dynamic_update_slice_in_dim(batch, lax.dynamic_slice_in_dim(leaf, first + place, block), place, 0)

    return lax.fori_loop(0, 2, copy, jnp.zeros((count, *leaf.shape[1:]), leaf.dtype))


def _zeros(specs: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), specs)
