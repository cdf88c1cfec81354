"""Models cut out of others: graphs that begin at a tensor inside another graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras.common import nested
from polykeras.graph import GraphFunction, KerasTensor, Node
from polykeras.layers.core.input_layer import Input


def begun_with_inputs(graph: GraphFunction) -> GraphFunction:
    """Return a graph whose inputs all come from input layers, as in Keras.

    A tensor that another layer returned is replaced by a new input layer's tensor. The calls from there to the outputs
    are recorded again, with the same layers.

    Args:
        graph: a graph; it is returned unchanged if its inputs come from input layers.
    """
    inputs = [tensor if _begins(tensor) else _input_for(tensor) for tensor in graph.inputs]
    if all(map(_begins, graph.inputs)):
        return graph
    found = {id(old): new for old, new in zip(graph.inputs, inputs, strict=True)}

    def exchanged(value: Any) -> Any:
        if not isinstance(value, KerasTensor):
            return value
        if id(value) not in found:
            found[id(value)] = KerasTensor(value.shape, value.dtype, name=f"{value.name}_clone")
        return found[id(value)]

    for node in graph.calls:
        if not node.input_tensors:
            continue
        args, kwargs, outputs = nested.map_structure(exchanged, (node.args, node.kwargs, node.outputs))
        Node(node.operation, args, kwargs, outputs)
    outputs = [exchanged(tensor) for tensor in graph.outputs]
    return GraphFunction(
        nested.unflatten(graph.input_definition, inputs), nested.unflatten(graph.output_definition, outputs)
    )


def unfolded(graph: GraphFunction, folded: Callable[[Node], bool]) -> GraphFunction:
    """Return a graph in which the calls within some nested models stand in the place of the calls of these models.

    Args:
        graph: it is returned unchanged if it has no such call.
        folded: whether this is the call of a model that is unfolded; models within it are asked about too.
    """
    if not any(map(folded, graph.nodes)):
        return graph
    found: dict[int, KerasTensor] = {}

    def exchanged(value: Any) -> Any:
        return found.get(id(value), value)

    for node in graph.nodes:
        if folded(node):
            inner: Any = node.operation
            outputs = unfolded(inner._graph_model()._graph, folded)([exchanged(x) for x in node.input_tensors])
        elif any(id(x) in found for x in node.input_tensors):
            args, kwargs = nested.map_structure(exchanged, (node.args, node.kwargs))
            outputs = node.operation(*args, **kwargs)
        else:
            continue
        found |= {id(old): new for old, new in zip(node.output_tensors, nested.flatten(outputs), strict=True)}
    return GraphFunction(
        nested.unflatten(graph.input_definition, graph.inputs),
        nested.unflatten(graph.output_definition, list(map(exchanged, graph.outputs))),
    )


def _begins(tensor: KerasTensor) -> bool:
    return tensor.history is not None and not tensor.history[0].input_tensors


def _input_for(tensor: KerasTensor) -> KerasTensor:
    return Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=f"{tensor.name}CLONE")
