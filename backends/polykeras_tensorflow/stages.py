"""A graph, cut at its sums over workers, so that XLA compiles what lies between them.

XLA has no code for the sums on the CPU. The nodes that need no sum are the first *stage*, those that need the sums of
the first stage are the second one, and so on: most steps have two, gradients and updates. Each stage is a program of
XLA, and TensorFlow runs stages and sums in turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from graphlib import TopologicalSorter
from typing import Any

import tensorflow as tf

from polykeras.backend.spec import Array
from polykeras_tensorflow.collectives import add_up, is_sum
from polykeras_tensorflow.graphs import Flat, spec_of, trace
from polykeras_tensorflow.private import call
from polykeras_tensorflow.sharing import shared

_ANYWHERE = -1  # the stage of constants and what follows from them alone; each stage has its own copy, as XLA needs


def in_stages(graph: Any) -> Flat:
    """Return a function that does what a graph does, by XLA between its sums over workers.

    Args:
        graph: a concrete function, whose sums are neither in loops nor in branches.
    """
    stages = _stages(graph.graph.get_operations(), graph.outputs)
    programs = [_Stage(graph, stages, number) for number in range(max(stages.values()) + 1)]
    sums = [node for node in stages if is_sum(node)]

    def flat(*arrays: Array) -> list[Array]:
        values = {x.name: array for x, array in zip(graph.inputs, [*arrays, *graph.captured_inputs], strict=True)}
        for number, program in enumerate(programs):
            program.run(values)
            for node in sums:
                if stages[node] == number:
                    part, size = node.inputs[:2]
                    values[node.outputs[0].name] = add_up(values[part.name], tf.get_static_value(size))
        return [values[x.name] for x in graph.outputs]

    return flat


def can_be_cut(graph: Any) -> bool:
    """Return whether all that processes tell one another in a graph are our sums, outside of loops and branches.

    Args:
        graph: a `FuncGraph` with all of its nodes, which may still be under construction.
    """
    called = graph.as_graph_def().library.function
    if any(is_between_processes(node.op) for function in called for node in function.node_def):
        return False
    others = [node for node in graph.get_operations() if not is_sum(node)]
    # Sums use a token. What assigns to anything else would run in the order of the stages.
    return not any(is_between_processes(n.type) or any(x.dtype == tf.resource for x in n.inputs) for n in others)


def has_sums(graph: Any) -> bool:
    """Return whether a graph has sums over workers outside of its loops and branches."""
    return any(map(is_sum, graph.get_operations()))


def is_between_processes(kind: str) -> bool:
    """Return whether processes talk to one another by nodes of a kind, for which XLA has no code on the CPU."""
    return kind.startswith("Collective")


def _stages(nodes: Iterable[Any], results: Sequence[Array]) -> dict[Any, int]:
    """Return the stage of each node of a graph. That of a sum is the one after which it runs."""
    before = {node: {*(x.op for x in node.inputs), *node.control_inputs} for node in nodes}
    needed = {x.op for x in results} | {node.inputs[0].op for node in before if is_sum(node)}
    stages: dict[Any, int] = {}
    for node in TopologicalSorter(before).static_order():
        fixed = node.type == "Const" or (before[node] and not node.op_def.is_stateful)
        least = _ANYWHERE if fixed and node not in needed else 0
        stages[node] = max([least, *(stages[other] + is_sum(other) for other in before[node])])
    return {node: stages[node] for node in before}  # in the order of the graph


class _Stage:
    """The nodes of one stage, as a program of XLA.

    Args:
        graph: a concrete function.
        stages: the stages of its nodes.
        number: which one this is.
    """

    def __init__(self, graph: Any, stages: dict[Any, int], number: int) -> None:
        def is_here(node: Any) -> bool:
            return stages[node] == number and not is_sum(node) and node.type != "Placeholder"

        nodes = [node for node in stages if is_here(node) or stages[node] == _ANYWHERE]
        own = dict.fromkeys(filter(is_here, nodes))  # in order, so that equal models have equal programs
        results = {x.name for x in graph.outputs}
        given = {x.name: x for node in own for x in node.inputs if x.op not in own and stages[x.op] != _ANYWHERE}
        self._given = list(given)
        self._made = [
            x.name
            for node in own
            for x in node.outputs
            if x.name in results or any(user not in own for user in x.consumers())
        ]
        self._program = None
        if self._made:
            definition = _definition(graph, nodes)

            def copied(*arrays: Array) -> list[Array]:
                inputs = dict(zip(self._given, arrays, strict=True))
                return tf.graph_util.import_graph_def(definition, inputs, self._made, name="stage")

            self._program = shared(trace(copied, [spec_of(x) for x in given.values()], xla=True))

    def run(self, values: dict[str, Array]) -> None:
        """Compute what later stages, sums and results need, and add it to the values of the graph by name."""
        if self._program is not None:
            values.update(zip(self._made, call(self._program, [values[name] for name in self._given]), strict=True))


def _definition(graph: Any, nodes: Iterable[Any]) -> Any:
    """Return some of the nodes of a graph, which no longer wait for others, nor are placed where these are."""
    whole = graph.graph.as_graph_def()
    definition = tf.compat.v1.GraphDef(library=whole.library, versions=whole.versions)
    names = {node.name for node in nodes}
    for node in whole.node:
        if node.name in names:
            copy = definition.node.add()
            copy.CopyFrom(node)
            copy.input[:] = [name for name in node.input if not name.startswith("^") or name[1:] in names]
            if "_class" in copy.attr:
                del copy.attr["_class"]
    return definition
