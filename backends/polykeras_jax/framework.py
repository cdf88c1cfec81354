"""What this backend does with JAX itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from polykeras.backend.families.framework import Framework
from polykeras_jax.accelerators import has_accelerators


class JaxFramework(Framework):
    """Settings, profiles and foreign code of JAX, which has no hidden random state to seed."""

    def foreign(self, framework: str, wanted_by: str) -> Any:
        if framework != self.name:
            return super().foreign(framework, wanted_by)
        from polykeras_jax.native import functions

        return functions

    def set_matmul_precision(self, precision: str | None) -> None:
        chosen = getattr(jax.config, "jax_default_matmul_precision")  # noqa: B009  (no stub)
        # What decides is whether there is a plugin: to ask for the devices would begin to use them.
        if precision is not None or (chosen is None and has_accelerators()):
            jax.config.update("jax_default_matmul_precision", precision or "highest")

    def start_profile(self, folder: str) -> Callable[[], None] | None:
        jax.profiler.start_trace(folder)

        def stop() -> None:
            self.synchronize()
            jax.profiler.stop_trace()

        return stop
