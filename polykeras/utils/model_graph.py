"""The graph of a model: boxes with text, and lines between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from polykeras.common import nested

if TYPE_CHECKING:
    from polykeras.models import Model


@dataclass
class Cluster:
    """The boxes of a model, and of nested models.

    Attributes:
        name: the name of the model.
        boxes: the id and the lines of text of each layer.
        clusters: the nested models that are shown in detail.
    """

    name: str
    boxes: dict[int, list[str]] = field(default_factory=dict)
    clusters: list[Cluster] = field(default_factory=list)

    def all_boxes(self) -> dict[int, list[str]]:
        """Return the boxes of this model and of nested models."""
        result = dict(self.boxes)
        for cluster in self.clusters:
            result |= cluster.all_boxes()
        return result


@dataclass(frozen=True)
class Shown:
    """The facts about layers to show; see `plot_model`."""

    shapes: bool = False
    dtype: bool = False
    names: bool = True
    activations: bool = False
    trainable: bool = False


def graph_of(model: Model, shown: Shown, expand_nested: bool = False) -> tuple[Cluster, list[tuple[int, int]]]:
    """Return the boxes of a model, and its lines as pairs of ids of boxes.

    Args:
        model: a built model; one that is neither Sequential nor Functional is a single box.
        shown: the facts that the boxes show.
        expand_nested: whether nested models are shown in detail.

    Raises:
        ValueError: if the model is not built.
    """
    if not model.built:
        raise ValueError("The model is not built: its layers have no shapes. Call it on data, or `build`, first.")
    lines: list[tuple[int, int]] = []
    return _cluster(model, shown, expand_nested, lines), list(dict.fromkeys(lines))


def _is_chain(model: Any) -> bool:
    return hasattr(model, "add") and hasattr(model, "pop")  # Sequential


def _is_nested(operation: Any) -> bool:
    return _is_chain(operation) or hasattr(operation, "operations")


def _cluster(model: Any, shown: Shown, expand: bool, lines: list[tuple[int, int]]) -> Cluster:
    cluster = Cluster(model.name)
    if not _is_nested(model):
        cluster.boxes[id(model)] = _texts(model, shown)
        return cluster
    operations = model.layers if _is_chain(model) else model.operations
    for operation in operations:
        if expand and _is_nested(operation):
            cluster.clusters.append(_cluster(operation, shown, expand, lines))
        else:
            cluster.boxes[id(operation)] = _texts(operation, shown)
    if _is_chain(model):
        pairs = pairwise(operations)
        lines += [(id(_end(a, 0, expand)), id(_start(b, 0, expand))) for a, b in pairs]
        return cluster
    within = {id(node) for node in model._graph.nodes}
    for operation in operations:
        for node in operation.inbound_nodes:
            if id(node) not in within:
                continue
            for place, tensor in enumerate(node.input_tensors):
                if tensor.history:
                    source = _end(tensor.history[0].operation, tensor.history[1], expand)
                    lines.append((id(source), id(_start(operation, place, expand))))
    return cluster


def _end(operation: Any, place: int, expand: bool) -> Any:
    """Return the layer of an output. For a model that is shown in detail, this is an inner layer."""
    while expand and _is_nested(operation):
        if _is_chain(operation):
            operation, place = operation.layers[-1], 0
        else:
            node, place = operation.outputs[place].history
            operation = node.operation
    return operation


def _start(operation: Any, place: int, expand: bool) -> Any:
    """Return the layer of an input. For a model that is shown in detail, this is an inner layer."""
    while expand and _is_nested(operation):
        operation = operation.layers[0] if _is_chain(operation) else operation.inputs[place].history[0].operation
    return operation


def _texts(layer: Any, shown: Shown) -> list[str]:
    kind = type(layer).__name__
    texts = [f"{layer.name} ({kind})" if shown.names else kind]
    activation = getattr(layer, "activation", None)
    if shown.activations and activation is not None:
        texts.append(f"Activation: {getattr(activation, '__name__', None) or type(activation).__name__}")
    nodes = getattr(layer, "inbound_nodes", [])
    if shown.shapes:
        if nodes and nodes[0].input_tensors:
            texts.append(f"Input shape: {_joined(nodes[0].input_tensors, 'shape')}")
        texts.append(f"Output shape: {_joined(nested.flatten(nodes[0].outputs), 'shape') if nodes else '?'}")
    if shown.dtype:
        texts.append(f"Output dtype: {_joined(nested.flatten(nodes[0].outputs), 'dtype') if nodes else '?'}")
    if shown.trainable and getattr(layer, "weights", None):
        texts.append("Trainable" if layer.trainable else "Non-trainable")
    return texts


def _joined(tensors: Any, what: str) -> str:
    return ", ".join(str(getattr(tensor, what)) for tensor in tensors)


def get_source_inputs(tensor: Any) -> list[Any]:
    """Return the inputs that a symbolic tensor was computed from, each once.

    Args:
        tensor: a `KerasTensor`.
    """
    if not tensor.history:
        return [tensor]
    node = tensor.history[0]
    if not node.input_tensors:
        return nested.flatten(node.outputs)
    found = {id(source): source for before in node.input_tensors for source in get_source_inputs(before)}
    return list(found.values())
