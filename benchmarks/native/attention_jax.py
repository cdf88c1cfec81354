"""Attention by itself on JAX: compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

array = jnp.asarray
wait = jax.block_until_ready
own: Callable[..., Any] | None = jax.nn.dot_product_attention


def compiled(attention: Callable[..., Any], gradient: bool) -> Callable[..., Any]:
    """Return attention, or the gradients of its sum."""

    def summed(*arrays: Any) -> Any:
        return attention(*arrays).sum()

    return jax.jit(jax.grad(summed, (0, 1, 2)) if gradient else attention)
