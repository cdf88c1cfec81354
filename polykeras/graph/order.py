"""Keras's order of a graph's calls and operations, by which weights are found in files.

The depth of a call is the longest path from it to an output. Deeper calls come first. Calls of the same depth have the
order in which a walk from the outputs to the inputs meets them. An operation is as deep as its deepest call, so a layer
that is called twice is listed once, at the place where it is first needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polykeras.graph.operation import Node, Operation
    from polykeras.graph.tensor import KerasTensor


def walk(
    inputs: Sequence[KerasTensor],
    outputs: Sequence[KerasTensor],
    disconnected: Callable[[KerasTensor], Exception] | None = None,
    needs: Callable[[Node], Sequence[KerasTensor]] = lambda node: node.input_tensors,
) -> tuple[list[Node], dict[int, int]]:
    """Walk from the outputs back to the inputs, depth-first.

    Args:
        inputs: the inputs of the graph.
        outputs: the outputs of the graph.
        disconnected: a function that makes the error for a needed tensor that does not come from the inputs; with None,
            such tensors are skipped.
        needs: a function that returns the tensors that a call needs.

    Returns:
        The calls, each after those that it needs; and a dict from the ids of operations to the order of their first
        visit.
    """
    given = {id(tensor) for tensor in inputs}
    seen: set[int] = set()
    reached: dict[int, int] = {}
    calls: list[Node] = []
    for output in outputs:
        # No recursion: a graph may be thousands of calls deep.
        stack: list[tuple[Any, bool]] = [(output, False)]
        while stack:
            current, done = stack.pop()
            if done:
                calls.append(current)
                continue
            node = current.history[0] if current.history else None
            begins = node is None or not node.input_tensors
            if begins and id(current) not in given:
                if disconnected is not None:
                    raise disconnected(current)
                continue
            if node is None or id(node) in seen or (id(current) in given and not begins):
                continue
            seen.add(id(node))
            reached.setdefault(id(node.operation), len(reached))
            stack.append((node, True))
            stack.extend((tensor, False) for tensor in reversed(needs(node)))
    return calls, reached


def by_depth(
    inputs: Sequence[KerasTensor], outputs: Sequence[KerasTensor], calls: Sequence[Node], reached: Mapping[int, int]
) -> tuple[list[Node], list[Operation]]:
    """Return the calls and the operations of a graph in Keras's order.

    Args:
        inputs: the inputs of the graph.
        outputs: the outputs of the graph.
        calls: the calls that `walk` returned.
        reached: the order of visits that `walk` returned.

    Returns:
        The calls that must run, each after those whose results it needs, and the operations, including the layers of
        all inputs, even unused ones.
    """
    operations = {id(node.operation): node.operation for node in calls}
    for tensor in inputs:
        if tensor.history and not tensor.history[0].input_tensors:
            layer = tensor.history[0].operation
            operations.setdefault(id(layer), layer)
    implied = {id(node): node.operation.implied_tensors(node) for node in calls}
    needed = {id(node) for node in calls if node.input_tensors}

    def needs(node: Node) -> list[KerasTensor]:
        return [*node.input_tensors, *implied.get(id(node), ())]

    if any(implied.values()):
        calls, reached = walk(inputs, outputs, needs=needs)
    depths, depths_of_operations = _depths(calls, needs)
    nodes = [node for node, _ in sorted(depths.values(), key=lambda entry: -entry[1]) if id(node) in needed]

    def rank(operation: Operation) -> tuple[int, int]:  # at equal depth, unused inputs come first
        return -depths_of_operations.get(id(operation), 0), reached.get(id(operation), -1)

    return nodes, sorted(operations.values(), key=rank)


def _depths(
    calls: Sequence[Node], needs: Callable[[Node], Sequence[KerasTensor]]
) -> tuple[dict[int, tuple[Node, int]], dict[int, int]]:
    """Return the depths of calls (with the calls) and of operations, by id, in the order in which they are met."""
    within = {id(node) for node in calls}
    depths: dict[int, tuple[Node, int]] = {}
    of_operations: dict[int, int] = {}
    for node in reversed(calls):
        _, depth = depths.get(id(node), (node, 0))
        # A call is at least as deep as its operation's deepest call that was met before.
        depth = max(depth, of_operations.get(id(node.operation), 0))
        of_operations[id(node.operation)] = depth
        depths[id(node)] = node, depth
        for tensor in needs(node):
            before = tensor.history[0] if tensor.history else None
            if before is not None and id(before) in within:
                depths[id(before)] = before, max(depth + 1, depths.get(id(before), (before, 0))[1])
    return depths, of_operations
