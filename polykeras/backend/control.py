"""Control flow that a compiled function may contain."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from polykeras.backend.random import RandomMethods
from polykeras.backend.spec import Array


class ControlMethods(RandomMethods, ABC):
    """Branches and loops over traced values."""

    @abstractmethod
    def cond(self, pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
        """Return the result of one of two functions.

        Args:
            pred: a bool scalar, traced or not.
            true_fn: called without arguments; returns a tree of arrays.
            false_fn: returns a tree of the same structure, shapes and dtypes.
        """

    @abstractmethod
    def while_loop(
        self,
        cond: Callable[..., Any],
        body: Callable[..., Any],
        loop_vars: Any,
        maximum_iterations: int | None = None,
    ) -> Any:
        """Repeat `loop_vars = body(*loop_vars)` while `cond(*loop_vars)` holds.

        Args:
            cond: returns a bool scalar.
            body: returns values of the same structure, shapes and dtypes.
            loop_vars: a tuple or list (unpacked into arguments), or one array.
            maximum_iterations: an upper bound.

        Gradients are not required.
        """

    @abstractmethod
    def scan(
        self,
        f: Callable[[Any, Any], tuple[Any, Any]],
        init: Any,
        xs: Any = None,
        length: int | None = None,
        reverse: bool = False,
        unroll: int | bool = 1,
    ) -> tuple[Any, Any]:
        """Carry a value along the first axis of `xs`: `carry, y = f(carry, x)` for each slice.

        Args:
            f: takes and returns trees of arrays; the carry keeps structure, shapes and dtypes. `y` may be None.
            init: the first carry.
            xs: a tree of arrays with one length, or None with `length`.
            length: the number of steps where `xs` is None.
            reverse: run from the last slice to the first; the ys stay at the places of their xs.
            unroll: a hint.

        Returns:
            `(carry, ys)`, the ys stacked along a new first axis. Differentiable.
        """

    def device_get(self, x: Array) -> Any:
        """Return a scalar array as a Python number; waits for it."""
        return self.to_numpy(x).item()
