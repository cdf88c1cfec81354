"""A step as pure functions of a state: whole, and in the parts in which some backends run it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from polykeras.backend.execution_policy import BatchesRunner
from polykeras.backend.families.execution import StepParts
from polykeras.variables import Variable, functionalize


@dataclass(frozen=True, slots=True)
class Parts:
    """A step in parts, as plain code over variables; see `StepParts`.

    Attributes:
        step: takes a batch, and returns what is to be looked at.
        look: takes that, of one or several steps; None where there is nothing.
        report: returns the logs.
        known: returns the variables that `look` and `report` know.
    """

    step: Callable[[Any], Any]
    look: Callable[[Any], None] | None
    report: Callable[[], dict[str, Any]]
    known: Callable[[], list[Variable]]

    def pure(self, variables: Sequence[Variable]) -> StepParts:
        """Return the parts as pure functions of a state, and of some of it."""
        places = {id(variable): place for place, variable in enumerate(variables)}
        known = [variable for variable in self.known() if id(variable) in places]
        look = self.look and functionalize(self.look, known)
        report = functionalize(self.report, known)
        return StepParts(functionalize(self.step, variables), [places[id(v)] for v in known], look, report)


class Form:
    """The pure functions of a step over one list of variables, and what a backend made of them.

    Attributes:
        is_traced: whether code of the step ran to its end once; before that nothing is given away.
        in_code: whether it runs now: most errors are mistakes in it, and then nothing is given away either.
    """

    def __init__(
        self, step: Callable[[Any], Any], variables: list[Variable], changes_only: bool, parts: Parts | None
    ) -> None:
        self.variables = variables
        self.is_traced = self.in_code = False
        self.pure = self._marking(functionalize(step, variables, changes_only))
        pure_parts = parts and parts.pure(variables)
        self.parts = pure_parts and replace(
            pure_parts,
            step=self._marking(pure_parts.step),
            look=pure_parts.look and self._marking(pure_parts.look),
            report=self._marking(pure_parts.report),
        )
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
