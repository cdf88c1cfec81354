"""The jax backend: one class, put together from a mixin for each family of the contract."""

from __future__ import annotations

from typing import ClassVar

import jax

from polykeras_jax.execution import JaxExecution


class JaxBackend(JaxExecution):
    """JAX behind the contract.

    JAX has no hidden random state, so `seed_framework` stays the contract's, which does nothing. Nothing that changes
    numbers is set in `jax.config`: 64-bit dtypes, matmul precision and the platform are the user's choice.
    """

    name: ClassVar[str] = "jax"
    version: ClassVar[str] = jax.__version__
    compiles_calls = True
    compiles_each_size = True
