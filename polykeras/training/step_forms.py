"""A step as a pure function of a state, and what a backend made of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras.backend.execution import BatchesRunner
from polykeras.variables import Variable, functionalize


class Form:
    """The pure functions of a step over one list of variables, and what a backend made of them.

    Attributes:
        is_traced: whether code of the step ran to its end once; before that nothing is given away.
        in_code: whether it runs now: most errors are mistakes in it, and then nothing is given away either.
    """

    def __init__(self, step: Callable[[Any], Any], variables: list[Variable], changes_only: bool) -> None:
        self.variables = variables
        self.is_traced = self.in_code = False
        self.pure = self._marking(functionalize(step, variables, changes_only))
        self.chunk: Callable[..., Any] | None = None
        self.single: Callable[..., Any] | None = None
        self.several: BatchesRunner | None = None

    def _marking(self, pure: Callable[..., Any]) -> Callable[..., Any]:
        def marked(*args: Any) -> Any:
            self.in_code = True
            result = pure(*args)
            self.in_code, self.is_traced = False, True  # not where it raises
            return result

        return marked
