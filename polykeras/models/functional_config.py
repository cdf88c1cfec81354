"""Functional models as plain data, in the form of Keras 3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from polykeras import tree
from polykeras.graph import KerasTensor, Node
from polykeras.saving.serialization import custom_object_scope, deserialize_keras_object, serialize_keras_object


def _tensor_key(tensor: KerasTensor, numbers: dict[int, int]) -> list[Any]:
    """`[layer, call, output]`, calls counted within the model."""
    assert tensor.history is not None
    node, place = tensor.history
    return [node.operation.name, numbers[id(node)], place]


def _node_numbers(model: Any) -> dict[int, int]:
    numbers: dict[int, int] = {}
    counts: dict[int, int] = {}
    input_nodes = [tensor.history[0] for tensor in model.inputs if tensor.history]
    for node in [*input_nodes, *model._graph.nodes]:
        if id(node) not in numbers:
            numbers[id(node)] = counts.get(id(node.operation), 0)
            counts[id(node.operation)] = numbers[id(node)] + 1
    return numbers


def _map_config(fn: Callable[[Any], Any], value: Any) -> Any:
    if isinstance(value, KerasTensor):
        return fn(value)
    if isinstance(value, Mapping):
        return {key: _map_config(fn, part) for key, part in value.items()}
    if isinstance(value, tuple):  # told apart from a list: as an index it means something else
        return {"class_name": "__tuple__", "config": [_map_config(fn, part) for part in value]}
    if isinstance(value, list):
        return [_map_config(fn, part) for part in value]
    if hasattr(value, "__array__"):
        value = np.asarray(value)  # a constant, of whichever framework
    return serialize_keras_object(value)


def functional_config(model: Any) -> dict[str, Any]:
    """Return the config of a functional model: its layers, each with its calls, and the ends of the graph."""
    numbers = _node_numbers(model)

    def describe(tensor: KerasTensor) -> dict[str, Any]:
        config = {"shape": tensor.shape, "dtype": tensor.dtype, "keras_history": _tensor_key(tensor, numbers)}
        return {"class_name": "__keras_tensor__", "config": config}

    layers = []
    for operation in model.operations:
        entry = serialize_keras_object(operation)
        nodes: list[Node] = [node for node in model._graph.nodes if node.operation is operation]
        entry["name"] = operation.name
        entry["inbound_nodes"] = [
            {"args": _map_config(describe, list(node.args)), "kwargs": _map_config(describe, node.kwargs)}
            for node in nodes
        ]
        layers.append(entry)
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": layers,
        "input_layers": _map_config(lambda t: _tensor_key(t, numbers), model.input),
        "output_layers": _map_config(lambda t: _tensor_key(t, numbers), model.output),
    }


class _Rebuilder:
    """Calls the layers of a config again, each call once its arguments are there."""

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        self.operations = {entry["name"]: deserialize_keras_object(entry) for entry in entries}
        self.outputs: dict[tuple[str, int], list[Any]] = {}
        for name, operation in self.operations.items():
            if operation.inbound_nodes:  # input layers have their node from the start
                self.outputs[name, 0] = operation.inbound_nodes[0].output_tensors
        self.waiting = [(e["name"], i, node) for e in entries for i, node in enumerate(e["inbound_nodes"])]

    def tensor(self, key: Any) -> Any:
        name, node, place = key
        return self.outputs[name, node][place]

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            if value.get("class_name") == "__keras_tensor__":
                return self.tensor(value["config"]["keras_history"])
            if value.get("class_name") == "__tuple__":
                return tuple(self._resolve(part) for part in value["config"])
            if "class_name" in value:
                return deserialize_keras_object(value)
            return {key: self._resolve(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self._resolve(part) for part in value]
        return value

    def run(self) -> None:
        while self.waiting:
            blocked = []
            for name, number, node in self.waiting:
                try:
                    args, kwargs = self._resolve(node["args"]), self._resolve(node["kwargs"])
                except KeyError:
                    blocked.append((name, number, node))
                    continue
                result = self.operations[name](*args, **kwargs)
                self.outputs[name, number] = tree.flatten(result)
            if len(blocked) == len(self.waiting):
                raise ValueError(
                    f"The config's graph cannot be built: calls of {[b[0] for b in blocked]} have no inputs."
                )
            self.waiting = blocked


def _is_key(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 3 and isinstance(value[0], str)


def _ends(value: Any, tensor: Callable[[Any], Any]) -> Any:
    if _is_key(value):
        return tensor(value)
    if isinstance(value, Mapping) and value.get("class_name") == "__tuple__":
        return tuple(_ends(part, tensor) for part in value["config"])
    if isinstance(value, Mapping):
        return {key: _ends(part, tensor) for key, part in value.items()}
    return [_ends(part, tensor) for part in value]


def functional_from_config(cls: type, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the functional model that a config describes, with new weights.

    A layer that the model calls several times is one layer again. One that it shares with a model nested in it is two,
    as in Keras 3: each config describes the layers of its own model.
    """
    with custom_object_scope(custom_objects or {}):
        graph = _Rebuilder(config["layers"])
        graph.run()
        inputs = _ends(config["input_layers"], graph.tensor)
        outputs = _ends(config["output_layers"], graph.tensor)
    return cls(inputs=inputs, outputs=outputs, name=config.get("name"), trainable=config.get("trainable", True))
