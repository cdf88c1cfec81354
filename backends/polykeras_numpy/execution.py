"""Execution: NumPy compiles nothing and waits for nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras.backend.families.execution import Execution
from polykeras.backend.spec import Array
from polykeras.backend.steps import PureStep, State, StepRunner, check_state, specs_of
from polykeras.common import nested


class NumpyExecution(Execution):
    """A step is an ordinary call. NumPy's warnings of infinities are silenced once for the whole step."""

    def compile(
        self, fn: Callable[..., Any], donate_first: bool = False, collective: bool = False
    ) -> Callable[..., Any]:
        @np.errstate(all="ignore")
        def run(*args: Any, **kwargs: Any) -> Any:
            kept = nested.flatten((args[1:] if donate_first else args, kwargs))
            given = set(map(id, nested.flatten(args[0]))) if donate_first else set()
            taken = {id(leaf) for leaf in kept}

            def own(leaf: Any) -> Any:
                """Return a result in memory of its own, since the caller may change the arguments."""
                shares = isinstance(leaf, np.ndarray) and (id(leaf) in taken or leaf.base is not None)
                return np.array(leaf) if shares and id(leaf) not in given else leaf

            return nested.map_structure(own, fn(*args, **kwargs))

        return run

    def compile_steps(self, step: PureStep, collective: bool = False) -> StepRunner:
        @np.errstate(all="ignore")
        def run(state: State, data: Any, indices: Array, start: int, stop: int) -> tuple[State, Any]:
            logs, specs = None, specs_of(map(np.asarray, state), str)
            for i in range(start, stop):
                state, logs = step(state, self.rows(data, indices[i]))
            check_state(specs, specs_of(map(np.asarray, state), str))
            return state, logs

        return run

    def synchronize(self, x: Any = None) -> None:
        """Return at once, because NumPy computes synchronously."""
