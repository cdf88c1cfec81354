"""One graph for all models of one architecture.

TensorFlow frees what XLA compiled for a graph never: 5 MB for a small model. Our graphs hold no weights, which are
arguments, so that a graph traced for another model of the same layers and shapes is the same graph under other names.
The first one is used for all: a hundred models in a search over seeds take the memory, and the compilation, of one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable
from typing import Any

from polykeras_tensorflow.graphs import tracing_settings

_NUMBERED = re.compile(r"_(\d+)")
# Names of gradients that were registered while tracing have numbers that count up.
_COUNTED = re.compile(r"CustomGradient-\d+")

_known: dict[Hashable, Any] = {}


def shared(graph: Any) -> Any:
    """Return a concrete function that computes what `graph` does: the first one that was given here.

    One with tensors of its own (captured while it was traced) is returned itself.
    """
    if graph.captured_inputs:
        return graph
    key = (_fingerprint(graph.graph.as_graph_def()), tracing_settings())  # by which XLA compiles it, too
    return _known.setdefault(key, graph)


def _fingerprint(definition: Any) -> bytes:
    """Return a hash of a graph that does not depend on the numbers in the names of the functions that it calls."""
    functions = {function.signature.name: function for function in definition.library.function}
    by_number = {name.rpartition("_")[2]: name for name in functions}
    order: dict[str, int] = {}  # in which functions are met
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
    while done < len(order):  # of the functions that are met in functions too
        add(functions[list(order)[done]])
        done += 1
    return digest.digest()
