"""Control flow: Python's own, except for branches in recordings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from polykeras.backend.families.control import Control
from polykeras.backend.scopes import Scope
from polykeras.common import nested
from polykeras_torch.compiler.recorder import is_recorded


class TorchControl(Control):
    """Branches and loops that look at the values."""

    def cond(self, pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
        if is_recorded(pred):
            # A recording cannot branch, so both results are computed and one is selected.
            (yes, definition, yes_state), (no, _, no_state) = map(self._outcome, (true_fn, false_fn))
            if any(isinstance(leaf, Tensor) and leaf.requires_grad for leaf in (*yes, *no)):
                # Not if they are differentiated: the gradient of the other branch could be 0 * inf, which is nan.
                taken, state = (yes, yes_state) if pred else (no, no_state)
                for variable, value in state.values():
                    variable.assign(value)
                return nested.unflatten(definition, taken)
            for key, (variable, _) in (yes_state | no_state).items():
                values = [state[key][1] if key in state else variable.value for state in (yes_state, no_state)]
                variable.assign(self._select(pred, *values))
            return nested.unflatten(definition, [self._select(pred, a, b) for a, b in zip(yes, no, strict=True)])
        return true_fn() if pred else false_fn()

    def _outcome(self, fn: Callable[[], Any]) -> tuple[list[Any], Any, dict[int, tuple[Any, Any]]]:
        """Return the leaves of a branch's result, their tree, and the variables that it assigns with their values."""
        with Scope() as scope:
            leaves, definition = nested.flatten_with_def(fn())
        variables, values = scope.updates()
        return leaves, definition, {id(v): (v, value) for v, value in zip(variables, values, strict=True)}

    def _select(self, pred: Tensor, yes: Any, no: Any) -> Any:
        return yes if yes is no else self.where(pred, self.asarray(yes), self.asarray(no))

    def while_loop(
        self,
        cond: Callable[..., Any],
        body: Callable[..., Any],
        loop_vars: Any,
        maximum_iterations: int | None = None,
    ) -> Any:
        several = isinstance(loop_vars, (tuple, list))
        values = tuple(loop_vars) if several else (loop_vars,)
        done = 0
        while (maximum_iterations is None or done < maximum_iterations) and cond(*values):
            result = body(*values)
            values = tuple(result) if isinstance(result, (tuple, list)) else (result,)
            done += 1
        return type(loop_vars)(values) if several else values[0]

    def scan(
        self,
        f: Callable[[Any, Any], tuple[Any, Any]],
        init: Any,
        xs: Any = None,
        length: int | None = None,
        reverse: bool = False,
        unroll: int | bool = 1,
    ) -> tuple[Any, Any]:
        leaves, definition = nested.flatten_with_def(xs)
        steps = leaves[0].shape[0] if leaves else length
        if steps is None:
            raise ValueError("scan needs `xs` or `length`; received neither.")
        if steps == 0:
            return init, self._no_steps(f, init, leaves, definition)
        slices = [
            nested.unflatten(definition, parts) for parts in zip(*(leaf.unbind(0) for leaf in leaves), strict=True)
        ]
        slices = slices or [xs] * steps
        carry, ys = init, []
        for x in reversed(slices) if reverse else slices:
            carry, y = f(carry, x)
            ys.append(y)
        if reverse:
            ys.reverse()
        return carry, self._stack_trees(ys)

    def _stack_trees(self, ys: list[Any]) -> Any:
        first, definition = nested.flatten_with_def(ys[0])
        if not first:
            return ys[0]
        columns = zip(*map(nested.flatten, ys), strict=True)
        return nested.unflatten(definition, [torch.stack(column) for column in columns])

    def _no_steps(self, f: Callable[[Any, Any], tuple[Any, Any]], init: Any, leaves: list[Any], definition: Any) -> Any:
        """Return ys of length 0. One call on zeros finds their structure and shapes, and leaves no effect."""
        x = nested.unflatten(definition, [leaf.new_zeros(leaf.shape[1:]) for leaf in leaves])
        with Scope():
            y = f(init, x)[1]
        return nested.map_structure(lambda part: part.detach()[None][:0], y)
