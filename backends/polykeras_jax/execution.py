"""Compilation and loops over steps on JAX."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from polykeras import fast
from polykeras.backend.execution import BatchesRunner, State, Step, StepParts, StepRunner
from polykeras.backend.spec import Array
from polykeras_jax.arrays import on_cpu
from polykeras_jax.batches import over_batches
from polykeras_jax.control import JaxControl
from polykeras_jax.loops import in_loop
from polykeras_jax.steps import loop_in_parts, loop_of


def _donatable(first: Any, others: Sequence[Any]) -> Any:
    """Return `first` with each array that occurs again, in itself or in `others`, copied: JAX donates a buffer once."""
    seen = set(map(id, others))

    def own(leaf: Any) -> Any:
        if id(leaf) in seen and isinstance(leaf, jax.Array):
            return jnp.array(leaf, copy=True)
        seen.add(id(leaf))
        return leaf

    return jax.tree.map(own, first)


def _options() -> dict[str, Any] | None:
    """Return how XLA is to compile steps; a level in the environment's `XLA_FLAGS` counts more.

    LLVM's third level, XLA's default, takes longer than the second and makes small steps slower: in the step of a text
    CNN 0.7 s are spent instead of 0.4, and two small inputs with an embedding train at 0.107 ms a step, not 0.084.
    """
    level = "xla_backend_optimization_level"
    tuned = not on_cpu() or level in os.environ.get("XLA_FLAGS", "")
    return None if tuned or not fast.enabled() else {level: 2}


def _donating(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return `fn` compiled with the options of steps, its first argument donated.

    As part of another program it is compiled with that: JAX takes options at the outermost level only.
    """
    compiled = jax.jit(fn, donate_argnums=0, compiler_options=_options())
    inner = jax.jit(fn)

    def run(first: Any, *args: Any, **kwargs: Any) -> Any:
        others = jax.tree.leaves((args, kwargs))
        if any(isinstance(leaf, Tracer) for leaf in (*jax.tree.leaves(first), *others)):
            return inner(first, *args, **kwargs)
        return compiled(_donatable(first, others), *args, **kwargs)

    return run


class JaxExecution(JaxControl):
    """See `polykeras.backend.execution`."""

    def is_compiled(self) -> bool:
        return True

    def donates(self) -> bool:
        return True

    def compiles_ahead(self) -> bool:
        return on_cpu() and fast.enabled()

    def compile(self, fn: Callable[..., Any], donate_first: bool = False) -> Callable[..., Any]:
        if not donate_first:
            return jax.jit(fn)
        # A step of training is compiled as in a loop, so that single steps give the numbers of `fit`.
        return wraps(fn)(_donating(in_loop(fn)))

    def compile_steps(self, step: Step, parts: StepParts | None = None) -> StepRunner:
        if parts is None or not fast.enabled():
            compiled = _donating(loop_of(step, self.asarray))
        else:
            compiled = _donating(loop_in_parts(parts, self.asarray))

        def run(state: State, data: Any, indices: Array, start: int, stop: int) -> tuple[State, Any]:
            if stop < start or (stop == start and not self.compiles_ahead()):
                raise ValueError(f"compile_steps: expected start < stop; received start={start}, stop={stop}.")
            return compiled(list(state), data, indices, np.int32(start), np.int32(stop))

        return run

    def compile_batches(self, fn: Callable[[State, Any], Any]) -> BatchesRunner | None:
        return over_batches(fn) if on_cpu() and fast.enabled() else None

    def synchronize(self, x: Any = None) -> None:
        started = jax.live_arrays() if x is None else jax.tree.leaves(x)
        for array in started:
            if isinstance(array, jax.Array) and not isinstance(array, Tracer) and not array.is_deleted():
                array.block_until_ready()
