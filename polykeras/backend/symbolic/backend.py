"""The symbolic backend, assembled from its families, and its only instance."""

from __future__ import annotations

from typing import Any, ClassVar

from polykeras.backend.base import Backend
from polykeras.backend.symbolic.array import NeedsValues
from polykeras.backend.symbolic.collectives import SymbolicCollectives
from polykeras.backend.symbolic.control import SymbolicControl
from polykeras.backend.symbolic.core import SymbolicCore
from polykeras.backend.symbolic.linear import SymbolicLinear
from polykeras.backend.symbolic.shapes import SymbolicShapes


class SymbolicBackend(SymbolicCore, SymbolicShapes, SymbolicLinear, SymbolicControl, SymbolicCollectives, Backend):
    """A backend that infers shapes and dtypes by running the code that computes; each function runs once."""

    name: ClassVar[str] = "symbolic"
    holds_values: ClassVar[bool] = False

    def __reduce__(self) -> str:
        return "SYMBOLIC"

    def foreign(self, framework: str, wanted_by: str) -> Any:
        raise NeedsValues(f"{wanted_by} runs code of {framework}, which does not accept a SymbolicArray.")


SYMBOLIC = SymbolicBackend()
