"""One program for several batches, for functions that are as fast in a loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from polykeras.backend.execution_policy import BatchesRunner, CannotRunBatches
from polykeras.backend.spec import Array
from polykeras.backend.steps import State
from polykeras_jax.compiling import compiled, for_programs

# Operations for which XLA uses slow code inside a loop on the CPU: convolutions other than those of `conv_kernels.py`
# (https://github.com/jax-ml/jax/issues/12868), and windows, which outside of loops its library fuses with convolutions.
_SLOW = ("conv_general_dilated", "reduce_window", "select_and_")


def over_batches(fn: Callable[[State, Any], Any]) -> BatchesRunner:
    """Return a function that runs `fn` on several batches; see `ExecutionPolicy.compile_batches`."""
    function_here = for_programs(lambda: jax.jit(fn))

    def loop(state: State, batches: Any, count: Array) -> Any:
        once = function_here()
        batch = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), batches)
        traced = once.trace(jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), state), batch)
        slow = sorted(_primitives(traced.jaxpr.jaxpr))
        if slow:
            raise CannotRunBatches(f"XLA is slow at {', '.join(slow)} in a loop")
        room = jax.tree.leaves(batches)[0].shape[0]
        places = jax.tree.map(lambda out: jnp.zeros((room, *out.shape), out.dtype), traced.out_info)

        def advance(i: Array, outputs: Any) -> Any:
            found = once(state, jax.tree.map(lambda leaf: lax.dynamic_index_in_dim(leaf, i, keepdims=False), batches))
            return jax.tree.map(partial(lax.dynamic_update_index_in_dim, index=i, axis=0), outputs, found)

        return lax.fori_loop(0, count, advance, places)

    program = compiled(loop)
    return lambda state, batches, count: program(state, batches, np.int32(count))


def _primitives(jaxpr: Any) -> set[str]:
    """Return the names of the slow primitives in a jaxpr, nested ones included."""
    found = set()
    for equation in jaxpr.eqns:
        if equation.primitive.name.startswith(_SLOW):
            found.add(equation.primitive.name)
        for value in equation.params.values():
            for part in value if isinstance(value, (tuple, list)) else (value,):
                inner = getattr(part, "jaxpr", part)  # closed or not
                if hasattr(inner, "eqns"):
                    found |= _primitives(inner)
    return found
