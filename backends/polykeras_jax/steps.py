"""Chunks of training steps, as functions for XLA: the loop is part of the program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from polykeras.backend.spec import Array
from polykeras.backend.steps import State, Step, check_state, specs_of
from polykeras_jax.arrays import name_of, settled, strong
from polykeras_jax.compiling import for_programs
from polykeras_jax.loops import in_loop

Loop = Callable[..., tuple[State, Any]]
"""`(state, data, indices, start, stop, in_order) -> (state, logs)`; `in_order`: whether each batch's rows are a run."""
_LARGE = 2**16  # numbers in the data, from which on XLA may give even a small part of them to several threads


def loop_of(step: Step, asarray: Callable[[Any], Array]) -> Loop:
    """Return the loop over a step; `asarray` makes arrays of the numbers among its logs."""
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


def _once(step: Step, asarray: Callable[[Any], Array]) -> Step:
    """Return a step that keeps the types of its state, traced once for the shapes of its logs and for the loop."""

    @jax.jit
    def once(state: State, batch: Any) -> tuple[State, Any]:
        new, logs = in_loop(step)(state, batch)
        return _kept(state, new), _logs(logs, asarray)

    return once


def _kept(old: State, new: State) -> State:
    """Return the state after a step with the types of that before."""
    after = [settled(value, before) for value, before in zip(new, old, strict=False)] + new[len(old) :]
    check_state(specs_of(old, name_of), specs_of(after, name_of))
    return after


def _rows(data: Any, row: Array) -> Any:
    """Return the batch at some rows. They exist: nothing to check in each step."""
    return jax.tree.map(lambda leaf: leaf.at[row].get(mode="promise_in_bounds"), data)


def _run(data: Any, row: Array) -> Any:
    """Return the batch at rows one after the other."""
    return jax.tree.map(lambda leaf: _cut(leaf, row[0], len(row)), data)


def _cut(leaf: Array, first: Array, count: int) -> Array:
    """Return `count` rows from `first` on; of large data in two blocks, which share rows where the count is odd.

    What is taken of large data at once, or gathered, XLA gives to several threads, however little it is. The rest of
    the step then runs in the thread that ends last, and waits where that shares a core with another one: beside the
    thread that reads a stream the small perceptron's step takes 55 us so, and 46 in blocks (jax 0.10.2, 2 cores).
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
