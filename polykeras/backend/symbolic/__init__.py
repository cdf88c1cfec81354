"""The backend without values: its arrays are a shape and a dtype, so that running a function infers both.

`SYMBOLIC` is made current with `use_backend(SYMBOLIC)`; then every op, composites included, checks its operands and
returns what a real backend would, at no cost and with no framework.
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
