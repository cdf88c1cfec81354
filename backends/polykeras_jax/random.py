"""Random bits on JAX."""

from __future__ import annotations

from functools import partial
from math import prod

import jax
import jax.numpy as jnp
from jax import lax

from polykeras.backend.families.random import MULTIPLIERS, SHIFTS, Random
from polykeras.backend.job import shared_step
from polykeras.backend.spec import Array, Shape


@partial(jax.jit, static_argnums=1)
def _first_words(key: Array, shape: tuple[int, ...]) -> Array:
    """Return the hashes of the numbers 0, 1, 2, ..., in the given shape."""
    return _triple32(key, lax.iota(jnp.uint32, prod(shape))).reshape(shape)


def _triple32(key: Array, numbers: Array) -> Array:
    """Return the hash of `Backend.random_bits`, in unsigned 32-bit words, whose right shift is logical."""
    first, second = lax.bitcast_convert_type(key, jnp.uint32)
    m1, m2, m3 = (jnp.uint32(m & 0xFFFFFFFF) for m in MULTIPLIERS)
    s1, s2, s3, s4 = SHIFTS
    x = numbers ^ first
    x = (x ^ (x >> s1)) * m1 + second
    x = (x ^ (x >> s2)) * m2
    x = (x ^ (x >> s3)) * m3
    x = x ^ (x >> s4)
    return lax.bitcast_convert_type(x, jnp.int32)


class JaxRandom(Random):
    """See `polykeras.backend.families.random`."""

    def random_bits(self, key: Array, shape: Shape) -> Array:
        shape = tuple(shape)
        if shared_step.get() is None:
            return _first_words(key, shape)
        numbers = lax.bitcast_convert_type(self._element_numbers(shape), jnp.uint32)
        return _triple32(key, numbers).reshape(shape)
