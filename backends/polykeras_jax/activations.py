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
    """Return a composite, a function of arrays and numbers, that eager code runs as one compiled program.

    Each operation takes JAX 5 us to start, and one of `lax` outside of a program 10 us or more, however small the
    arrays. Within a trace the composite is what it was: its operations become part of what is traced.
    """
    if not fast.enabled("eager-programs"):
        return method
    return wraps(method)(jax.jit(method, static_argnums=0, inline=True))


@jax.custom_jvp
def _relu(x: Array) -> Array:
    return lax.max(x, lax.full_like(x, 0))


# JAX's own derivative at 0 and nan is that of `max`: a half, and nan's share.
_relu.defjvps(lambda tangent, out, x: jnp.where(x <= 0, 0, tangent))
_relu_program = jax.jit(_relu, inline=True)


class JaxActivations(Elementwise, Activations):
    """See `polykeras.backend.families.activations`."""

    # ---- composites of the contract, on native kernels -----------------------------------------------------------

    def relu(self, x: Array) -> Array:
        return _relu_program(x)  # a maximum, unlike a choice, XLA computes together with the products around it

    # ---- composites of the contract, as they are -----------------------------------------------------------------
    # Those that give the same bits in one program as one by one (with the default flags of XLA): gelu does not, of
    # which XLA fuses products and sums.

    elu = one_program(Activations.elu)
    hard_sigmoid = one_program(Activations.hard_sigmoid)
    hard_silu = one_program(Activations.hard_silu)
    leaky_relu = one_program(Activations.leaky_relu)
    log_sigmoid = one_program(Activations.log_sigmoid)
    relu6 = one_program(Activations.relu6)
    selu = one_program(Activations.selu)
    silu = one_program(Activations.silu)
    softplus = one_program(Elementwise.softplus)
