"""Functional models as plain data, in the form of Keras 3."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from heapq import heappop, heappush
from typing import Any

import numpy as np

from polykeras.common import nested
from polykeras.graph import KerasTensor, Node, Operation, OpOperation
from polykeras.models import keras_ops
from polykeras.saving.custom_objects import custom_object_scope
from polykeras.saving.serialization import deserialize_keras_object, serialize_keras_object


def _tensor_key(tensor: KerasTensor, numbers: dict[int, int]) -> list[Any]:
    """Return `[layer, call, output]`; calls are counted within the model."""
    assert tensor.history is not None
    node, place = tensor.history
    return [node.operation.name, numbers[id(node)], place]


def _calls(model: Any) -> dict[int, list[Node]]:
    """Return the calls within the model, by the id of the operation, in the order in which they were made."""
    within = {id(node) for node in model._graph.nodes}
    return {
        id(operation): [node for node in operation.inbound_nodes if id(node) in within or not node.input_tensors]
        for operation in model.operations
    }


def _map_config(fn: Callable[[Any], Any], value: Any) -> Any:
    if isinstance(value, KerasTensor):
        return fn(value)
    if isinstance(value, Mapping):
        return {key: _map_config(fn, part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):  # JSON and Keras do not distinguish them
        return [_map_config(fn, part) for part in value]
    if hasattr(value, "__array__"):
        value = np.asarray(value)  # a constant, of any framework
    return serialize_keras_object(value)


def functional_config(model: Any) -> dict[str, Any]:
    """Return the config of a functional model: its layers with their calls, and the inputs and outputs of the graph."""
    calls_of = _calls(model)
    numbers = {id(node): number for nodes in calls_of.values() for number, node in enumerate(nodes)}

    def describe(tensor: KerasTensor) -> dict[str, Any]:
        config = {"shape": tensor.shape, "dtype": tensor.dtype, "keras_history": _tensor_key(tensor, numbers)}
        return {"class_name": "__keras_tensor__", "config": config}

    def end(tensor: KerasTensor) -> list[Any]:
        name, number, place = _tensor_key(tensor, numbers)
        return [name, number + _first_end(tensor.history[0].operation), place]  # type: ignore[index]

    layers = []
    for operation in model.operations:
        nodes = [node for node in calls_of[id(operation)] if node.input_tensors]
        calls = [(_map_config(describe, list(node.args)), _map_config(describe, node.kwargs)) for node in nodes]
        entry = keras_ops.to_keras(operation.op, operation.name, calls) if isinstance(operation, OpOperation) else None
        if entry is None:
            entry = serialize_keras_object(operation)
            entry["name"] = operation.name
            entry["inbound_nodes"] = [{"args": args, "kwargs": kwargs} for args, kwargs in calls]
        layers.append(entry)
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": layers,
        "input_layers": _map_config(end, model.input),
        "output_layers": _map_config(end, model.output),
    }


def _first_end(operation: Any) -> int:
    """Return the number of an operation's first call, as the config counts it for the graph's inputs and outputs.

    In Keras 3, making a graph model counts as a call of it; but this does not apply to calls in arguments.
    """
    return getattr(operation, "_first_end_in_configs", 0)


class _Rebuilder:
    """Calls the layers of a config again, each call when its arguments exist."""

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        entries = [keras_ops.from_keras(entry) for entry in entries]  # type: ignore[misc]
        self.operations: dict[str, Any] = {}
        for entry in entries:
            if entry["name"] in self.operations:
                raise ValueError(f"Two layers of the config have the name {entry['name']!r}.")
            self.operations[entry["name"]] = deserialize_keras_object(entry)
        self.outputs: dict[tuple[str, int], list[Any]] = {}
        for name, operation in self.operations.items():
            if not isinstance(operation, Operation):
                raise ValueError(f"{name!r} is not a layer, but {type(operation).__name__}.")
            if operation.inbound_nodes:  # input layers have their node from the start
                self.outputs[name, 0] = operation.inbound_nodes[0].output_tensors
        self.calls = [(e["name"], i, node) for e in entries for i, node in enumerate(e["inbound_nodes"])]

    def tensor(self, key: Any) -> Any:
        """Return the output of a call that a key `[layer, call, output]` names."""
        name, node, place = key
        given = self.outputs.get((name, node), ())
        if not isinstance(place, int) or not 0 <= place < len(given):
            raise ValueError(f"The config names output {place!r} of call {node!r} of {name!r}, which does not exist.")
        return given[place]

    def end(self, key: Any) -> Any:
        """Return the input or output of the graph that a key names."""
        name, node, place = key
        if name not in self.operations:
            raise ValueError(f"The config's graph begins or ends at {name!r}, which is not one of its layers.")
        return self.tensor((name, node - _first_end(self.operations[name]), place))

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
        """Make the calls, each when its arguments exist; of several possible calls, the first in the config."""
        needs: list[set[tuple[str, int]]] = []
        waiting: dict[tuple[str, int], list[int]] = {}
        for i, (name, _, node) in enumerate(self.calls):
            keys = set(_needed(node["args"])) | set(_needed(node["kwargs"]))
            if not keys:  # it would run immediately, on values of the config
                raise ValueError(f"A call of {name!r} has no input from the graph.")
            if self.calls[i][1]:
                keys.add((name, self.calls[i][1] - 1))  # the calls of a layer keep their order
            needs.append(keys - self.outputs.keys())
            for key in needs[i]:
                waiting.setdefault(key, []).append(i)
        ready = [i for i, keys in enumerate(needs) if not keys]
        done = 0
        while ready:
            name, number, node = self.calls[heappop(ready)]
            result = self.operations[name](*self._resolve(node["args"]), **self._resolve(node["kwargs"]))
            self.outputs[name, number] = nested.flatten(result)
            done += 1
            for i in waiting.pop((name, number), ()):
                needs[i].remove((name, number))
                if not needs[i]:
                    heappush(ready, i)
        if done < len(self.calls):
            blocked = [name for (name, _, _), keys in zip(self.calls, needs, strict=True) if keys]
            raise ValueError(f"The config's graph cannot be built: calls of {blocked[:10]} lack inputs.")


def _needed(value: Any) -> Iterator[tuple[str, int]]:
    """Yield the calls, `(layer, number)`, whose results are in the arguments of another call."""
    if isinstance(value, Mapping):
        if value.get("class_name") == "__keras_tensor__":
            name, node, _ = value["config"]["keras_history"]
            yield name, node
        elif value.get("class_name") == "__tuple__":
            yield from _needed(value["config"])
        elif "class_name" not in value:
            for part in value.values():
                yield from _needed(part)
    elif isinstance(value, list):
        for part in value:
            yield from _needed(part)


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

    A layer that the model calls several times becomes one layer. A layer that it shares with a nested model becomes
    two, as in Keras 3, because each config describes the layers of its own model.
    """
    with custom_object_scope(custom_objects or {}):
        graph = _Rebuilder(config["layers"])
        graph.run()
        inputs = _ends(config["input_layers"], graph.end)
        outputs = _ends(config["output_layers"], graph.end)
    model = cls(inputs=inputs, outputs=outputs, name=config.get("name"))
    model._trainable = config.get("trainable", True)  # each layer has its own, and may be thawed in a frozen model
    return model
