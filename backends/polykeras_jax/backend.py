"""The jax backend: one class, put together from a mixin for each family of the contract."""

from __future__ import annotations

from typing import Any, ClassVar

import jax

from polykeras.backend.native import Native
from polykeras_jax.accelerators import has_accelerators
from polykeras_jax.execution import JaxExecution


class JaxNative(Native):
    """JAX's own code sees arrays, and steps with their state as an argument."""

    steps_take_state = True


class JaxBackend(JaxExecution):
    """JAX behind the contract.

    JAX has no hidden random state, so `seed_framework` stays the contract's, which does nothing. Nothing that changes
    numbers on a CPU is set in `jax.config`: 64-bit dtypes and the platform are the user's choice.
    """

    name: ClassVar[str] = "jax"
    version: ClassVar[str] = jax.__version__
    compiles_calls = True
    compiles_each_size = True
    native = JaxNative()

    def foreign(self, framework: str, wanted_by: str) -> Any:
        if framework != self.name:
            return super().foreign(framework, wanted_by)
        from polykeras_jax import foreign

        return foreign

    def set_matmul_precision(self, precision: str | None) -> None:
        chosen = getattr(jax.config, "jax_default_matmul_precision")  # noqa: B009  (no stub)
        # What decides is whether there is a plugin: to ask for the devices would begin to use them.
        if precision is not None or (chosen is None and has_accelerators()):
            jax.config.update("jax_default_matmul_precision", precision or "highest")
