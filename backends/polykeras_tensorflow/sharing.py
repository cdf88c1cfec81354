"""One graph for all models of one architecture.

TensorFlow never frees XLA's programs for a graph: 5 MB for a small model. Our graphs hold no weights, which are
arguments. So another model with the same layers and shapes has the same graph under other names. The first one is used
for all: a hundred models in a search over seeds take the memory, and the compilation, of one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable
from typing import Any

from polykeras_tensorflow.graphs import tracing_settings

_NUMBERED = re.compile(r"_(\d+)")
# The names of gradients that were registered during tracing are numbered.
_COUNTED = re.compile(r"CustomGradient-\d+")

_known: dict[Hashable, Any] = {}


def shared(graph: Any) -> Any:
    """Return the first concrete function given here that computes the same as `graph`.

    A function that captured tensors while it was traced is returned itself.
    """
    if graph.captured_inputs:
        return graph
    key = (_fingerprint(graph.graph.as_graph_def()), tracing_settings())  # XLA's compilation depends on them too
    return _known.setdefault(key, graph)


def _fingerprint(definition: Any) -> bytes:
    """Return a hash of a graph that does not depend on the numbers in the names of the functions that it calls."""
    functions = {function.signature.name: function for function in definition.library.function}
    by_number = {name.rpartition("_")[2]: name for name in functions}
    order: dict[str, int] = {}  # the order in which functions appear
    digest = hashlib.sha256()

    def renamed(found: re.Match[str]) -> str:
        name = by_number.get(found.group(1))
        if name is None or not found.string.endswith(name, 0, found.end()):
            return found.group()
        return f"_function_{order.setdefault(name, len(order))}"

    def add(part: Any) -> None:
        digest.update(_COUNTED.sub("", _NUMBERED.sub(renamed, str(part))).encode())

    for node in definition.node:
        add(node)
    done = 0
    while done < len(order):  # including functions called by functions
        add(functions[list(order)[done]])
        done += 1
    return digest.digest()
