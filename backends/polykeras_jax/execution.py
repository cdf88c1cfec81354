"""Compilation and loops over steps on JAX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial, wraps
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from polykeras import fast
from polykeras.backend.execution_policy import BatchesRunner
from polykeras.backend.families.execution import Execution
from polykeras.backend.spec import Array, Shape
from polykeras.backend.steps import PureStep, State, StepRunner
from polykeras_jax.arrays import held_dtype, name_of, native_dtype, on_cpu
from polykeras_jax.collectives import group
from polykeras_jax.compiling import compiled, step_options
from polykeras_jax.predictions import over_batches
from polykeras_jax.steps import Loop, loop_of
from polykeras_jax.traces import in_loop
from polykeras_jax.workers import Group, lost_workers_named, of_this_process


def _donatable(first: Any, others: Sequence[Any]) -> Any:
    """Return `first` with arrays copied that it or `others` hold already: JAX donates a buffer only once."""
    seen = set(map(id, others))

    def own(leaf: Any) -> Any:
        if id(leaf) in seen and isinstance(leaf, jax.Array):
            return jnp.array(leaf, copy=True)
        seen.add(id(leaf))
        return leaf

    return jax.tree.map(own, first)


def _donating(fn: Callable[..., Any], static: Sequence[str] = ()) -> Callable[..., Any]:
    """Compile `fn` with the options for steps, donating its first argument."""
    program: Any = compiled(fn, step_options(), donate_argnums=0, static_argnames=static)

    def run(first: Any, *args: Any, **kwargs: Any) -> Any:
        return program(_donatable(first, jax.tree.leaves((args, kwargs))), *args, **kwargs)

    shown: Any = run
    shown.program = program.program
    return shown


def _shared(
    workers: Group, fn: Callable[..., Any], lift: Callable[[Any], Any], donate_first: bool
) -> Callable[..., Any]:
    """Compile `fn` as a program of all workers.

    Args:
        workers: all workers.
        fn: the function.
        lift: makes a global array of a leaf of the arguments after the first.
        donate_first: whether to donate the first argument.
    """
    how: dict[str, Any] = {"options": step_options(), "donate_argnums": 0} if donate_first else {}
    program: Any = compiled(workers.over_all(fn), **how)

    def lifted(first: Any, args: Any, kwargs: Any) -> tuple[Any, Any, Any]:
        return jax.tree.map(workers.same, first), *jax.tree.map(lift, (args, kwargs))

    def run(first: Any, *args: Any, **kwargs: Any) -> Any:
        if donate_first:
            first = _donatable(first, jax.tree.leaves((args, kwargs)))
        first, args, kwargs = lifted(first, args, kwargs)
        with lost_workers_named(workers.timeout):
            return jax.tree.map(of_this_process, program(first, *args, **kwargs))

    def text(stage: str, first: Any, *args: Any, **kwargs: Any) -> str:
        first, args, kwargs = lifted(first, args, kwargs)
        return program.program(stage, first, *args, **kwargs)

    shown: Any = run
    shown.program = text
    return shown


def _over_parts(program: Callable[..., Any]) -> Callable[..., Any]:
    """Return a program that tells of lost workers, as its arrays may be cut over processes."""
    workers = group()
    return program if workers is None else lost_workers_named(workers.timeout)(program)


def _are_runs(indices: np.ndarray) -> bool:
    """Return whether each batch is a run of consecutive rows, of at least one row."""
    return indices.shape[1] > 0 and bool((np.diff(indices) == 1).all())


def _check_range(start: int, stop: int) -> None:
    if stop <= start:
        raise ValueError(f"compile_steps: expected start < stop; received start={start}, stop={stop}.")


def _shared_steps(workers: Group, loop: Loop) -> StepRunner:
    """Compile a loop over steps of all workers. It gathers rows, since all processes must compile the same program."""
    program = _shared(workers, partial(loop, in_order=False), lambda leaf: leaf, True)

    def run(state: State, data: Any, indices: Array, start: int, stop: int) -> tuple[State, Any]:
        _check_range(start, stop)
        data = jax.tree.map(workers.data, data)
        return program(list(state), data, workers.rows(indices, 1), np.int32(start), np.int32(stop))

    return run


def compile_batches(fn: Callable[[State, Any], Any]) -> BatchesRunner | None:
    """See `ExecutionPolicy.compile_batches`."""
    return over_batches(fn) if on_cpu() and fast.enabled("predict-batches") else None


class JaxExecution(Execution):
    """See `polykeras.backend.families.execution`."""

    def compile(
        self, fn: Callable[..., Any], donate_first: bool = False, collective: bool = False
    ) -> Callable[..., Any]:
        workers = group() if collective else None
        if workers is not None:
            return wraps(fn)(_shared(workers, in_loop(fn) if donate_first else fn, workers.rows, donate_first))
        if not donate_first:
            return _over_parts(compiled(fn))
        # A training step is compiled as in a loop, so that a single step gives the same numbers as `fit`.
        return _over_parts(wraps(fn)(_donating(in_loop(fn))))

    def compile_steps(self, step: PureStep, collective: bool = False) -> StepRunner:
        workers = group() if collective else None
        if workers is not None:
            return _shared_steps(workers, loop_of(step, self.asarray))
        program = _over_parts(_donating(loop_of(step, self.asarray), ["in_order"]))

        def run(state: State, data: Any, indices: Array, start: int, stop: int) -> tuple[State, Any]:
            _check_range(start, stop)
            # The batches of a stream lie one after another in the buffer.
            in_order = isinstance(indices, np.ndarray) and on_cpu() and fast.enabled("slices") and _are_runs(indices)
            return program(list(state), data, indices, np.int32(start), np.int32(stop), in_order=in_order)

        return run

    def infer_shapes(
        self,
        fn: Callable[[list[Array], Callable[[], AbstractContextManager[Any]]], Sequence[Array]],
        specs: Sequence[tuple[Shape, str]],
    ) -> list[tuple[tuple[int | None, ...], str]]:
        given = [jax.ShapeDtypeStruct(tuple(shape), native_dtype(held_dtype(dtype))) for shape, dtype in specs]
        found = jax.eval_shape(lambda arrays: list(fn(arrays, jax.ensure_compile_time_eval)), given)
        return [(tuple(x.shape), name_of(x.dtype)) for x in found]

    def synchronize(self, x: Any = None) -> None:
        started = jax.live_arrays() if x is None else jax.tree.leaves(x)
        for array in started:
            if isinstance(array, jax.Array) and not isinstance(array, Tracer) and not array.is_deleted():
                array.block_until_ready()
