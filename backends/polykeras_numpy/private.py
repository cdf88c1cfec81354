"""All undocumented names of autograd that this backend uses: the parts that make a tape.

There is no plain form of them. Without them the numpy backend has no gradients, and does not load.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from autograd.core import (
    SparseObject,
    VJPNode,
    add_outgrads,
    defvjp_argnums,
    primitive_vjps,
    sparse_object_types,
    vspace,
)
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.numpy.numpy_vspaces import ArrayVSpace
from autograd.tracer import isbox, new_box, notrace_primitives, trace_stack
from autograd.util import toposort

__all__ = [
    "ArrayBox", "ArrayVSpace", "SparseObject", "VJPNode", "add_outgrads", "defvjp_argnums", "isbox", "level_of",
    "new_box", "node_of", "notrace_primitives", "primitive_vjps", "raw", "sparse_object_types", "toposort",
    "trace_stack", "value_of", "vspace",
]  # fmt: skip

value_of = attrgetter("_value")
"""Return what is in a box."""

level_of = attrgetter("_trace")
"""Return the number of the tape of a box."""

node_of = attrgetter("_node")
"""Return the node of a box on its tape."""


def raw(x: Any) -> Any:
    """Return the NumPy value under all tapes."""
    while isbox(x):
        x = x._value
    return x
