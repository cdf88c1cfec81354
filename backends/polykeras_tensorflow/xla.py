"""When a graph is given to XLA, and the checks that XLA leaves out.

XLA fuses the operations between matrix products, and runs a loop without the executor's cost for each node. This makes
the steps of perceptrons and recurrent networks 1.2 to 4 times as fast on the CPU (docs/performance.md). On the CPU, its
convolutions and windows are 3 to 20 times slower than TensorFlow's kernels, so a graph with one of them is not given to
XLA. The choice is not based on timing: it must be the same in each run, or a run that resumes after a crash would
differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import tensorflow as tf

from polykeras import fast
from polykeras.backend.spec import Array
from polykeras_tensorflow.stages import can_be_cut, is_between_processes

raw = tf.raw_ops

# Kinds of nodes for which XLA has no fast code on the CPU: sliding windows, and cumulative sums along an axis, which it
# recomputes for each element.
_SLOW = ("Conv", "DepthwiseConv", "MaxPool", "AvgPool", "Dilation2D", "Cumsum", "Cumprod", "CumulativeLogsumexp")
# Kinds of nodes for which XLA has different random numbers.
_RANDOM = (
    "Random", "TruncatedNormal", "ParameterizedTruncatedNormal", "Multinomial", "StatelessRandom",
    "StatelessTruncatedNormal", "StatelessMultinomial", "StatelessParameterizedTruncatedNormal", "StatelessShuffle",
    "StatefulRandom", "StatefulStandardNormal", "StatefulTruncatedNormal", "StatefulUniform",
)  # fmt: skip
_FEW = 4096  # elements; shorter cumulative sums cost little, such as over a metric's thresholds


class RangeChecks:
    """Collects, while a graph is traced, whether its indices are in range.

    TensorFlow's kernels raise for an index out of range. XLA silently uses the nearest element.

    Attributes:
        incomplete: whether there are indices in loops and branches, whose checks cannot be returned.
        has_parts: whether XLA compiles parts of the graph, whatever runs the rest.
    """

    def __init__(self) -> None:
        self._found: list[Array] = []
        self.incomplete = False
        self.has_parts = False

    def note(self, indices: Array, sizes: Array) -> None:
        """Record indices, and the sizes of the axes that they index."""
        if tf.get_static_value(indices) is not None:
            return  # a constant, which was checked or made by code that knows the size
        inside = raw.LogicalAnd(x=raw.GreaterEqual(x=indices, y=tf.zeros_like(indices)), y=raw.Less(x=indices, y=sizes))
        self._found.append(tf.reduce_all(inside))

    def add(self, results: list[Array], inner: RangeChecks) -> None:
        """Take over the checks of a graph that is called in this one, and their results."""
        self._found += results
        self.incomplete |= inner.incomplete
        self.has_parts |= inner.has_parts

    def result(self) -> list[Array]:
        """Return one bool for the graph that is being traced, or nothing if there is nothing to check."""
        here = tf.compat.v1.get_default_graph()
        own = [check for check in self._found if check.graph is here]
        self.incomplete |= len(own) < len(self._found)
        return [tf.reduce_all(tf.stack(own))] if own else []


_checks: ContextVar[RangeChecks | None] = ContextVar("polykeras_tensorflow_range_checks", default=None)


@contextmanager
def collecting_checks() -> Iterator[RangeChecks]:
    """Collect the checks of the code that is traced within the block."""
    token = _checks.set(RangeChecks())
    try:
        yield _checks.get()  # type: ignore[misc]
    finally:
        _checks.reset(token)


def note_range(indices: Array, sizes: Array) -> None:
    """If XLA runs the graph, check that indices are at least 0 and below the sizes."""
    checks = _checks.get()
    if checks is not None:
        checks.note(indices, sizes)


def note_part() -> None:
    """Record that XLA compiles a part of the graph that is being traced."""
    checks = _checks.get()
    if checks is not None:
        checks.has_parts = True


def are_limited(indices: Array, size: int) -> bool:
    """Return whether the graph that is being traced ensures that indices are at least 0 and below a size.

    It recognizes `minimum(maximum(x, 0), last)`, in this order, for any `x`, even if the shape is changed afterwards.
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
    """Pass the check that a graph returned on to the graph that calls it."""
    outer = _checks.get()
    if outer is not None:
        outer.add(results, checks)


def raise_out_of_range() -> None:
    """Raise the error that a failed check stands for."""
    raise IndexError(
        "An index is out of range in a compiled step: for instance, a word index that is not below the `input_dim` of "
        "an Embedding, or a label that is not below the number of classes. Nothing was changed. Check the data, or "
        "compile the model with run_eagerly=True to find the layer."
    )


def _is_short_sum(node: Any) -> bool:
    """Return whether a node of a graph is a cumulative sum along an axis of few elements."""
    size = node.inputs[0].shape.num_elements() if node.type.startswith("Cum") else None
    return size is not None and size <= _FEW


def choose(graph: Any, checks: RangeChecks, what: str) -> bool:
    """Return whether XLA should run a graph, and explain the choice.

    Args:
        graph: a `FuncGraph` with all of its nodes, which may still be under construction.
        checks: the checks that were collected while it was traced.
        what: what it is, for the explanation.
    """
    if not fast.enabled("xla"):
        return False
    definition = graph.as_graph_def()
    kinds = {node.op for function in definition.library.function for node in function.node_def}
    kinds |= {node.type for node in graph.get_operations() if not _is_short_sum(node)}
    slow = sorted(kind for kind in kinds if kind.startswith(_SLOW))
    random = sorted(kind for kind in kinds if kind.startswith(_RANDOM))
    collective = sorted(filter(is_between_processes, kinds))
    cut = bool(collective) and fast.enabled("xla-stages") and can_be_cut(graph)
    makes_variables = "VarHandleOp" in kinds
    if slow:
        fast.explain(what, "TensorFlow's kernels", f"XLA is slow at {', '.join(slow)}")
    elif random:
        fast.explain(what, "TensorFlow's kernels", f"XLA has different random numbers for {', '.join(random)}")
    elif collective and not cut:
        fast.explain(what, "TensorFlow's kernels", f"XLA does not talk to other processes: {', '.join(collective)}")
    elif makes_variables:
        fast.explain(what, "TensorFlow's kernels", "XLA makes no variables, but a graph of a SavedModel needs them")
    elif checks.incomplete:
        fast.explain(what, "TensorFlow's kernels", "indices within a loop or branch would not be checked in XLA")
    else:
        by = "XLA, between sums over workers" if cut else "XLA"
        fast.explain(what, by, "it fuses operations, and nothing in the graph is slow in it")
        return True
    return False
