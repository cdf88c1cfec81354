"""Control flow: Python's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras.backend.families.control import Control
from polykeras.backend.scopes import Scope
from polykeras.common import nested
from polykeras_numpy.tape import raw


class NumpyControl(Control):
    """Branches and loops run as Python code; the tape records the calls that they make."""

    def cond(self, pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
        return true_fn() if bool(raw(pred)) else false_fn()

    def while_loop(
        self,
        cond: Callable[..., Any],
        body: Callable[..., Any],
        loop_vars: Any,
        maximum_iterations: int | None = None,
    ) -> Any:
        several = isinstance(loop_vars, (tuple, list))
        steps = 0
        while maximum_iterations is None or steps < maximum_iterations:
            if not bool(raw(cond(*loop_vars) if several else cond(loop_vars))):
                break
            loop_vars = body(*loop_vars) if several else body(loop_vars)
            steps += 1
        return loop_vars

    def scan(
        self,
        f: Callable[[Any, Any], tuple[Any, Any]],
        init: Any,
        xs: Any = None,
        length: int | None = None,
        reverse: bool = False,
        unroll: int | bool = 1,
    ) -> tuple[Any, Any]:
        lengths: set[int] = {self.shape(leaf)[0] for leaf in nested.flatten(xs)}
        if length is not None:
            lengths.add(length)
        if len(lengths) != 1:
            raise ValueError(
                "scan: expected arrays in `xs` with the same first length, equal to `length` if that is given; "
                f"received {sorted(lengths)}."
            )
        n = lengths.pop()
        if n == 0:  # one step on zeros gives the shapes of the ys, and is then dropped
            with Scope():
                _, y = f(init, nested.map_structure(lambda x: self.zeros(self.shape(x)[1:], self.dtype(x)), xs))
            return init, nested.map_structure(lambda part: self.stack([self.asarray(part)])[:0], y)
        carry, ys = init, [None] * n
        for i in reversed(range(n)) if reverse else range(n):
            carry, ys[i] = f(carry, nested.map_structure(lambda x, i=i: x[i], xs))
        return carry, nested.map_structure(lambda *parts: self.stack([self.asarray(p) for p in parts]), *ys)
