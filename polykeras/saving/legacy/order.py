"""The order in which Keras lists the layers of a model, and so writes their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polykeras.saving.legacy.classes import is_a, is_model

if TYPE_CHECKING:
    from polykeras.layers.layer import Layer
    from polykeras.variables import Variable


def keras_layers(model: Any) -> list[Layer]:
    """Return the layers of a model in Keras's order.

    Of a graph those that are farthest from the outputs come first; of several, that which is met first on the way from
    the outputs to the inputs.
    """
    graph = model._graph_model()
    if is_a(model, "Sequential") or graph is None:
        return list(model.layers)
    met, distances = _distances(graph)

    def rank(layer: Layer) -> tuple[int, int]:
        return -distances.get(id(layer), 0), met.get(id(layer), -1)

    return sorted(graph.layers, key=rank)


def _distances(graph: Any) -> tuple[dict[int, int], dict[int, int]]:
    """Return, by the id of an operation, when it is met, and how far it is from the outputs."""
    met: dict[int, int] = {}
    nodes = _nodes(graph, met)
    of_nodes: dict[int, int] = {}
    of_operations: dict[int, int] = {}
    for node in reversed(nodes):
        operation = id(node.operation)
        distance = max(of_nodes.get(id(node), 0), of_operations.get(operation, 0))
        of_nodes[id(node)] = of_operations[operation] = distance
        for tensor in node.input_tensors:
            if tensor.history:
                before = id(tensor.history[0])
                of_nodes[before] = max(of_nodes.get(before, 0), distance + 1)
    return met, of_operations


def _nodes(graph: Any, met: dict[int, int]) -> list[Any]:
    """Return the calls of a graph, each after those that it needs; note in `met` when an operation is met first."""
    inputs = {id(tensor) for tensor in graph.inputs}
    seen: set[int] = set()
    found: list[Any] = []
    for output in graph.outputs:
        # No recursion: networks may be deeper than Python's stack.
        stack = [(output, False)] if output.history else []
        while stack:
            tensor, done = stack.pop()
            node = tensor.history[0]
            if done:
                found.append(node)
                continue
            if id(node) in seen:
                continue
            seen.add(id(node))
            met.setdefault(id(node.operation), len(met))
            stack.append((tensor, True))
            if id(tensor) not in inputs:
                stack += [(before, False) for before in reversed(node.input_tensors) if before.history]
    return found


def owners(layer: Any) -> list[Layer]:
    """Return the layers with weights of their own within a layer, itself included, in Keras's order; each once."""
    found: dict[int, Layer] = {}

    def visit(current: Any) -> None:
        if id(current) in found:
            return
        found[id(current)] = current
        for inner in keras_layers(current) if is_model(current) else current._sublayers():
            visit(inner)

    visit(layer)
    return [one for one in found.values() if one._own_variables()]


def trained(owner: Layer) -> list[Variable]:
    """Return those of a layer's own weights that an optimizer changes unless the layer is frozen."""
    return [variable for variable in owner._own_variables() if variable.trainable]


def not_trained(owner: Layer) -> list[Variable]:
    """Return the others of a layer's own weights."""
    return [variable for variable in owner._own_variables() if not variable.trainable]


def weights_in_order(layer: Any) -> list[Variable]:
    """Return all weights within a layer as files hold them: first those that an optimizer changes, then the others."""
    found = owners(layer)
    first = [variable for owner in found if owner.trainable for variable in trained(owner)]
    rest = [
        variable for owner in found for variable in ([] if owner.trainable else trained(owner)) + not_trained(owner)
    ]
    return [*first, *rest]


def trained_in_order(model: Any) -> list[Variable]:
    """Return the weights that an optimizer changes, in Keras's order."""
    return [variable for owner in owners(model) if owner.trainable for variable in trained(owner)]
