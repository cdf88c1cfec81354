"""Control flow and execution without values: each function runs once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras.backend.families.control import Control
from polykeras.backend.families.execution import Execution
from polykeras.backend.steps import PureStep, StepRunner
from polykeras.backend.symbolic.array import SymbolicArray, from_value
from polykeras.backend.symbolic.core import first_size, first_slices, stacked
from polykeras.backend.symbolic.dims import agree, meet
from polykeras.common import nested


class SymbolicControl(Control, Execution):
    """Families control and execution."""

    def cond(self, pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
        if from_value(pred).dims:
            raise ValueError(f"cond: expected a scalar predicate; received {pred}.")
        return _same(true_fn(), false_fn(), "cond: the results of true_fn and false_fn")

    def while_loop(
        self,
        cond: Callable[..., Any],
        body: Callable[..., Any],
        loop_vars: Any,
        maximum_iterations: int | None = None,
    ) -> Any:
        variables = nested.map_structure(from_value, loop_vars)
        several = isinstance(variables, (list, tuple))
        arguments = tuple(variables) if several else (variables,)
        if from_value(cond(*arguments)).dims:
            raise ValueError("while_loop: expected `cond` to return a scalar.")
        results = body(*arguments)
        results = tuple(results) if isinstance(results, (list, tuple)) else (results,)
        agreed = _same(arguments, results, "while_loop: loop_vars and the results of `body`")
        return nested.unflatten(nested.flatten_with_def(loop_vars)[1], nested.flatten(agreed))

    def scan(
        self,
        f: Callable[[Any, Any], tuple[Any, Any]],
        init: Any,
        xs: Any = None,
        length: int | None = None,
        reverse: bool = False,
        unroll: int | bool = 1,
    ) -> tuple[Any, Any]:
        init, xs = nested.map_structure(from_value, init), nested.map_structure(from_value, xs)
        steps = length if xs is None else first_size(xs, "scan")
        if steps is None or (length is not None and not agree(steps, length)):
            raise ValueError(f"scan: expected xs, or length; received length {length} and xs {xs}.")
        carry, ys = f(init, first_slices(xs))
        return _same(init, carry, "scan: the carry and its next value"), stacked(ys, steps)

    def compile(
        self, fn: Callable[..., Any], donate_first: bool = False, collective: bool = False
    ) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            args, kwargs = nested.map_structure(
                lambda leaf: self.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf, (args, kwargs)
            )
            return fn(*args, **kwargs)

        return run

    def compile_steps(self, step: PureStep, collective: bool = False) -> StepRunner:
        def run(state: list[Any], data: Any, indices: Any, start: int, stop: int) -> tuple[list[Any], Any]:
            return step(state, self.rows(data, indices[0]))

        return run

    def synchronize(self, x: Any = None) -> None:
        return None


def _same(a: Any, b: Any, what: str) -> Any:
    """Return one tree for two trees of arrays that must agree in structure, shapes and dtypes."""
    nested.assert_same_structure(a, b)
    b = nested.map_structure(from_value, b)

    def one(x: SymbolicArray, y: SymbolicArray) -> SymbolicArray:
        if x.dtype != y.dtype or len(x.dims) != len(y.dims) or not all(map(agree, x.dims, y.dims)):
            raise ValueError(f"{what} must agree in shape and dtype; received {x} and {y}.")
        return SymbolicArray(tuple(map(meet, x.dims, y.dims)), x.dtype)

    return nested.map_structure(one, nested.map_structure(from_value, a), b)
