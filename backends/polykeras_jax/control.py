"""Control flow on JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from polykeras.backend.families.control import Control
from polykeras_jax.arrays import settled, strong
from polykeras_jax.traces import in_loop


class JaxControl(Control):
    """See `polykeras.backend.families.control`.

    Values that a loop carries lose their weak type, because it would not survive an iteration.
    """

    def _arrays(self, structure: Any) -> Any:
        return jax.tree.map(lambda leaf: strong(self.asarray(leaf)), structure)

    def _carried(self, old: Any, new: Any) -> Any:
        """Return `new` with each weakly typed leaf cast to the dtype of the old leaf; JAX reports other differences."""
        same = jax.tree.structure(old) == jax.tree.structure(new)
        return jax.tree.map(settled, new, old) if same else new

    def cond(self, pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
        if not self.is_traced(pred):  # the value is known, so nothing needs compiling
            return self._arrays(true_fn() if bool(pred) else false_fn())
        return lax.cond(pred, lambda: self._arrays(true_fn()), lambda: self._arrays(false_fn()))

    def while_loop(
        self,
        cond: Callable[..., Any],
        body: Callable[..., Any],
        loop_vars: Any,
        maximum_iterations: int | None = None,
    ) -> Any:
        several = isinstance(loop_vars, list | tuple)
        start = self._arrays(tuple(loop_vars) if several else (loop_vars,))

        def proceed(carry: Any) -> Any:
            count, values = carry
            go = self.cast(self.asarray(cond(*values)), "bool").reshape(())
            return go if maximum_iterations is None else go & (count < maximum_iterations)

        def advance(carry: Any) -> Any:
            count, values = carry
            new = body(*values)
            new = tuple(new) if several and isinstance(new, list | tuple) else (new,)
            return count + 1, self._carried(values, new)

        _, values = lax.while_loop(in_loop(proceed), in_loop(advance), (jnp.int32(0), start))
        if not several:
            return values[0]
        return list(values) if isinstance(loop_vars, list) else values

    def scan(
        self,
        f: Callable[[Any, Any], tuple[Any, Any]],
        init: Any,
        xs: Any = None,
        length: int | None = None,
        reverse: bool = False,
        unroll: int | bool = 1,
    ) -> tuple[Any, Any]:
        def body(carry: Any, x: Any) -> tuple[Any, Any]:
            new, y = f(carry, x)
            return self._carried(carry, new), y

        return lax.scan(in_loop(body), self._arrays(init), self._arrays(xs), length, reverse, unroll)
