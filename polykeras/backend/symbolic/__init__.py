"""The backend without values. Its arrays are a shape and a dtype, so running a function infers both.

`use_backend(SYMBOLIC)` makes it current. Then every op, composites included, checks its operands and returns the shape
and dtype that a real backend would give, at no cost and without a framework.
"""

from polykeras.backend.symbolic.array import (
    NeedsValues,
    SymbolicArray,
    cannot_run_on_shapes,
    last_size_read,
    note_failure,
)
from polykeras.backend.symbolic.backend import SYMBOLIC, SymbolicBackend
from polykeras.backend.symbolic.dims import UnknownDim, stand_in

__all__ = [
    "SYMBOLIC",
    "NeedsValues",
    "SymbolicArray",
    "SymbolicBackend",
    "UnknownDim",
    "cannot_run_on_shapes",
    "last_size_read",
    "note_failure",
    "stand_in",
]
