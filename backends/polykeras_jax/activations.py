"""Activations on JAX."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from polykeras import fast
from polykeras.backend.families.activations import Activations
from polykeras.backend.families.elementwise import Elementwise
from polykeras.backend.spec import Array


def one_program(method: Callable[..., Any]) -> Any:
    """Wrap a composite of arrays and numbers so that eager code runs it as one compiled program.

    JAX takes microseconds to start each operation, however small the arrays. Inside a trace the wrapper changes
    nothing: the operations become part of the traced program.
    """
    if not fast.enabled("eager-programs"):
        return method
    return wraps(method)(jax.jit(method, static_argnums=0, inline=True))


@jax.custom_jvp
def _relu(x: Array) -> Array:
    return lax.max(x, lax.full_like(x, 0))


# JAX differentiates `max`: at 0 half of the gradient passes, and at nan it is split.
_relu.defjvps(lambda tangent, out, x: jnp.where(x <= 0, 0, tangent))
_relu_program = jax.jit(_relu, inline=True)


class JaxActivations(Elementwise, Activations):
    """See `polykeras.backend.families.activations`."""

    # ---- composites of the contract, on native kernels -----------------------------------------------------------

    def relu(self, x: Array) -> Array:
        return _relu_program(x)  # XLA fuses a maximum with the products around it, but not a `where`

    # ---- composites of the contract, compiled --------------------------------------------------------------------
    # Only composites that give the same bits compiled as eagerly, with XLA's default flags. gelu is not among them,
    # because XLA fuses its products and sums.

    elu = one_program(Activations.elu)
    hard_sigmoid = one_program(Activations.hard_sigmoid)
    hard_silu = one_program(Activations.hard_silu)
    leaky_relu = one_program(Activations.leaky_relu)
    log_sigmoid = one_program(Activations.log_sigmoid)
    relu6 = one_program(Activations.relu6)
    selu = one_program(Activations.selu)
    silu = one_program(Activations.silu)
    softplus = one_program(Elementwise.softplus)
