"""When a graph is given to XLA, and what XLA leaves unchecked.

XLA fuses what lies between matrix products, and runs a loop without the executor's cost for each node: the steps of
perceptrons and recurrent networks become 1.2 to 4 times as fast on the CPU (docs/performance.md). Its convolutions and
windows on the CPU are 3 to 20 times as slow as TensorFlow's kernels, so that a graph with one of them is left alone.
Nothing is timed: the choice must not change from run to run, or a run that goes on after a crash would differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import tensorflow as tf

from polykeras import fast
from polykeras.backend.spec import Array

raw = tf.raw_ops

# Kinds of nodes that XLA has no fast code for on the CPU: windows that slide, and sums along an axis, which it
# computes anew for each place.
_SLOW = ("Conv", "DepthwiseConv", "MaxPool", "AvgPool", "Dilation2D", "Cumsum", "Cumprod", "CumulativeLogsumexp")
# Kinds of nodes for which XLA has other random numbers.
_RANDOM = (
    "Random", "TruncatedNormal", "ParameterizedTruncatedNormal", "Multinomial", "StatelessRandom",
    "StatelessTruncatedNormal", "StatelessMultinomial", "StatelessParameterizedTruncatedNormal", "StatelessShuffle",
    "StatefulRandom", "StatefulStandardNormal", "StatefulTruncatedNormal", "StatefulUniform",
)  # fmt: skip
_FEW = 4096  # elements of a sum along an axis that cost nothing: the thresholds of a metric


class RangeChecks:
    """Collects, while a graph is traced, whether the indices in it lie in range.

    TensorFlow's kernels raise for an index out of range. XLA takes the nearest element and says nothing.

    Attributes:
        incomplete: whether there are indices in loops and branches, whose checks cannot leave these.
        has_parts: whether XLA compiles parts of the graph, whoever runs the rest.
    """

    def __init__(self) -> None:
        self._found: list[Array] = []
        self.incomplete = False
        self.has_parts = False

    def note(self, indices: Array, sizes: Array) -> None:
        """Take note of indices and the sizes of the axes that they go to."""
        if tf.get_static_value(indices) is not None:
            return  # a constant, which was checked or made by the code that knows the size
        inside = raw.LogicalAnd(x=raw.GreaterEqual(x=indices, y=tf.zeros_like(indices)), y=raw.Less(x=indices, y=sizes))
        self._found.append(tf.reduce_all(inside))

    def add(self, results: list[Array], inner: RangeChecks) -> None:
        """Take over what was collected for a graph that is called in this one, and the results of its checks."""
        self._found += results
        self.incomplete |= inner.incomplete
        self.has_parts |= inner.has_parts

    def result(self) -> list[Array]:
        """Return one bool for the graph that is being traced, or nothing where nothing is to be checked."""
        here = tf.compat.v1.get_default_graph()
        own = [check for check in self._found if check.graph is here]
        self.incomplete |= len(own) < len(self._found)
        return [tf.reduce_all(tf.stack(own))] if own else []


_checks: ContextVar[RangeChecks | None] = ContextVar("polykeras_tensorflow_range_checks", default=None)


@contextmanager
def collecting_checks() -> Iterator[RangeChecks]:
    """Collect the checks of what is traced within the block."""
    token = _checks.set(RangeChecks())
    try:
        yield _checks.get()  # type: ignore[misc]
    finally:
        _checks.reset(token)


def note_range(indices: Array, sizes: Array) -> None:
    """Have it checked that indices are from 0 to below the sizes, should XLA run the graph."""
    checks = _checks.get()
    if checks is not None:
        checks.note(indices, sizes)


def note_part() -> None:
    """Take note that XLA compiles a part of the graph that is being traced."""
    checks = _checks.get()
    if checks is not None:
        checks.has_parts = True


def are_limited(indices: Array, size: int) -> bool:
    """Return whether the graph that is being traced makes sure that indices are from 0 to below a size.

    That is known of `minimum(maximum(x, 0), last)`, in this order, whatever `x` is, and however the shape is changed.
    """
    if not tf.is_symbolic_tensor(indices):
        return False
    while indices.op.type in ("Reshape", "Identity"):
        indices = indices.op.inputs[0]
    above, below = indices.op, indices.op.inputs[0].op if indices.op.inputs else None
    if below is None or (above.type, below.type) != ("Minimum", "Maximum"):
        return False
    last, first = tf.get_static_value(above.inputs[1]), tf.get_static_value(below.inputs[1])
    if last is None or first is None:
        return False
    return bool((first >= 0).all() and (last >= 0).all() and (last < size).all())


def hand_on(checks: RangeChecks, results: list[Array]) -> None:
    """Have a check that a graph gave as a result checked by the graph that calls it."""
    outer = _checks.get()
    if outer is not None:
        outer.add(results, checks)


def raise_out_of_range() -> None:
    """Raise the error for which the checks of a graph are there."""
    raise IndexError(
        "An index is out of range in a compiled step: for instance a word's number that is not below the `input_dim` "
        "of an Embedding, or a label not below the number of classes. Nothing was changed. Look at the data, or "
        "compile the model with run_eagerly=True to see which layer it is."
    )


def _is_short_sum(node: Any) -> bool:
    """Return whether a node of a graph is a sum along an axis of few elements."""
    size = node.inputs[0].shape.num_elements() if node.type.startswith("Cum") else None
    return size is not None and size <= _FEW


def choose(graph: Any, checks: RangeChecks, what: str) -> bool:
    """Return whether XLA is to run a graph; tell why.

    Args:
        graph: a `FuncGraph` with all of its nodes, which may still be under construction.
        checks: collected while it was traced.
        what: it is, for the account.
    """
    if not fast.enabled("xla"):
        return False
    definition = graph.as_graph_def()
    kinds = {node.op for function in definition.library.function for node in function.node_def}
    kinds |= {node.type for node in graph.get_operations() if not _is_short_sum(node)}
    slow = sorted(kind for kind in kinds if kind.startswith(_SLOW))
    random = sorted(kind for kind in kinds if kind.startswith(_RANDOM))
    makes_variables = "VarHandleOp" in kinds
    if slow:
        fast.explain(what, "TensorFlow's kernels", f"XLA is slow at {', '.join(slow)}")
    elif random:
        fast.explain(what, "TensorFlow's kernels", f"XLA has other random numbers for {', '.join(random)}")
    elif makes_variables:
        fast.explain(what, "TensorFlow's kernels", "XLA makes no variables, which a graph of a SavedModel asks for")
    elif checks.incomplete:
        fast.explain(what, "TensorFlow's kernels", "indices within a loop or branch would not be checked in XLA")
    else:
        fast.explain(what, "XLA", "it fuses operations, and nothing in the graph is slow in it")
    return not (slow or random or makes_variables or checks.incomplete)
