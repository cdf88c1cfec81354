"""Variables, which have a location, and scopes, in which stateful code becomes a pure function.

A variable's value lives on one backend at a time, its *location*: the host after construction. Read under another
current backend it moves there, through host memory, exactly. Inside a `Scope` reads and assignments go to the scope,
and the variable itself stays as it was. `functionalize` uses that to turn code over variables into
`(state, *arguments) -> (state, result)`, in one place for all backends.
"""

from polykeras.backend.scopes import Scope, is_functional, note_losses, outside_scopes
from polykeras.variables.functional import branch, functionalize, value_of
from polykeras.variables.initial import values_deferred
from polykeras.variables.runs import NewVariables, Run, learn_state
from polykeras.variables.state import (
    by_dtype,
    kept_values,
    put_back,
    read_state,
    unique,
    write_changes,
    write_state,
)
from polykeras.variables.variable import Variable

__all__ = [
    "NewVariables",
    "Run",
    "Scope",
    "Variable",
    "branch",
    "by_dtype",
    "functionalize",
    "is_functional",
    "kept_values",
    "learn_state",
    "note_losses",
    "outside_scopes",
    "put_back",
    "read_state",
    "unique",
    "value_of",
    "values_deferred",
    "write_changes",
    "write_state",
]
