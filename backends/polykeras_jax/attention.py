"""Attention on JAX."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax

from polykeras.backend.families.attention import Attention
from polykeras.backend.spec import Array


class JaxAttention(Attention):
    """See `polykeras.backend.families.attention`."""

    def _attended_in_blocks(self, parts: dict[str, Array], k: Array, v: Array, is_causal: bool, soft_cap: Any) -> Array:
        if soft_cap is not None and not isinstance(soft_cap, int | float):  # an array
            return super()._attended_in_blocks(parts, k, v, is_causal, soft_cap)
        return _compiled(self, parts, k, v, is_causal, soft_cap)


@partial(jax.jit, static_argnums=(0, 4, 5))
def _compiled(
    backend: JaxAttention, parts: dict[str, Array], k: Array, v: Array, is_causal: bool, soft_cap: float | None
) -> Array:
    """Return the result of the composite. Its loop calls a function of its own, so each eager call would compile it."""
    return Attention._attended_in_blocks(backend, parts, k, v, is_causal, soft_cap)
