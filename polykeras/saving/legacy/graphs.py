"""Configs of models of Keras 1 and 2, translated to Keras 3."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from polykeras.saving.legacy.classes import LAYERS
from polykeras.saving.legacy.layout import Context

Translate = Callable[[Any, Context], dict[str, Any]]
"""Takes the config of a layer and its context, and returns the config in the format of Keras 3."""

_CONSTANT = "_CONSTANT_VALUE"
_MODELS = ("Sequential", "Functional")
_RECURRENT = ("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional")


def translate_sequential(inner: Any, context: Context, translate: Translate) -> dict[str, Any]:
    """Return the config of a Sequential model, which was a list of layers until Keras 2.2.2.

    In Keras 1 it may begin with several models whose outputs are merged. Then it becomes a graph.

    Args:
        inner: its config in the file.
        context: its place in the file.
        translate: translates a layer of the model.
    """
    entries = inner.get("layers") if isinstance(inner, Mapping) else inner
    if not isinstance(entries, list):
        raise context.refuse("a Sequential model needs a list of layers.")
    about = {} if isinstance(inner, list) else {k: v for k, v in inner.items() if k in ("name", "trainable")}
    shape = None if isinstance(inner, list) else inner.get("build_input_shape")
    if context.origin.major == 1 and _merges_models(entries):
        return translate_graph(about | _merged(entries, context), context, translate)
    layers = [translate(entry, context.within(f"layers[{i}]")) for i, entry in enumerate(entries)]
    config = about | {"layers": layers}
    if isinstance(shape, list):
        config["build_input_shape"] = shape
    return _model("Sequential", config)


def _model(name: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"module": LAYERS, "class_name": name, "config": config, "registered_name": None}


def translate_graph(
    inner: Mapping[str, Any], context: Context, translate: Translate, custom: str | None = None
) -> dict[str, Any]:
    """Return the config of a graph model.

    Args:
        inner: its config in the file.
        context: its place in the file.
        translate: translates a layer of the model.
        custom: the name of the user's class, if the model has one.
    """
    entries = inner["layers"]
    if not isinstance(entries, list):
        raise context.refuse("`layers` must be a list.")
    layers: dict[str, dict[str, Any]] = {}
    for i, entry in enumerate(entries):
        made = translate(entry, context.within(f"layers[{i}]"))
        name = entry.get("name") or made["config"].get("name")
        if not isinstance(name, str) or name in layers:
            raise context.within(f"layers[{i}]").refuse(f"has the name {name!r}, which is not valid or already taken.")
        made["name"] = made["config"]["name"] = name
        layers[name] = made
    calls = _Calls(layers, inner, context)
    for name, entry in zip(layers, entries, strict=True):
        nodes = entry.get("inbound_nodes", [])
        layers[name]["inbound_nodes"] = [calls.node(name, node) for node in nodes]
    config = {key: value for key, value in inner.items() if key in ("name", "trainable")}
    config |= {"layers": list(layers.values())}
    config |= {end: calls.ends(inner[end]) for end in ("input_layers", "output_layers")}
    if custom is not None:
        return {"module": None, "class_name": custom, "config": config, "registered_name": custom}
    return _model("Functional", config)


class _Calls:
    """The calls of a graph's layers.

    Args:
        layers: the layers by name, in the format of Keras 3.
        inner: the config of the graph in the file.
        context: the place of the graph in the file.
    """

    def __init__(self, layers: Mapping[str, dict[str, Any]], inner: Mapping[str, Any], context: Context) -> None:
        self.layers = layers
        self.context = context
        # Building a model counts as its first call, so its calls within another model begin with 1, but not in all
        # versions: in Keras 3, this shows only in the keys of the outputs.
        nodes = [entry.get("inbound_nodes", []) for entry in inner["layers"]]
        where = nodes if context.origin.major > 2 else [nodes, inner["output_layers"]]
        firsts: dict[str, int] = {}
        for name, number, *_ in self._keys(where):
            firsts[name] = min(number, firsts.get(name, number))
        self._firsts = {name: n for name, n in firsts.items() if n == 1 and self._is_model(name)}
        self._ends_firsts = self._firsts
        if context.origin.major > 2:
            self._ends_firsts = {name: 1 for name in layers if layers[name]["class_name"] == "Functional"}

    def _is_model(self, name: str) -> bool:
        return self.layers[name]["class_name"] in _MODELS or "layers" in self.layers[name]["config"]

    def _is_key(self, value: Any) -> bool:
        return (
            isinstance(value, list)
            and len(value) in (3, 4)
            and isinstance(value[0], str)
            and (value[0] in self.layers or value[0] == _CONSTANT)
            and isinstance(value[1], int)
        )

    def _keys(self, value: Any) -> Iterator[list[Any]]:
        """Yield the keys of tensors in a part of a config, in any format."""
        if self._is_key(value):
            if value[0] != _CONSTANT:
                yield value
            yield from self._keys(value[3]) if len(value) == 4 else ()
        elif isinstance(value, list):
            for part in value:
                yield from self._keys(part)
        elif isinstance(value, Mapping):
            for part in value.values():
                yield from self._keys(part)

    def _key(self, value: list[Any], firsts: Mapping[str, int]) -> list[Any]:
        name, number, place = value[:3]
        return [name, number - firsts.get(name, 0), place]

    def _tensor(self, value: list[Any]) -> dict[str, Any]:
        return {"class_name": "__keras_tensor__", "config": {"keras_history": self._key(value, self._firsts)}}

    def node(self, name: str, node: Any) -> dict[str, Any]:
        """Return the arguments of a call, for instance `[["dense", 0, 0, {}]]`, in the format of Keras 3."""
        if isinstance(node, Mapping) and "args" in node and "kwargs" in node:
            return {"args": node["args"], "kwargs": node["kwargs"]}
        kwargs: dict[str, Any] = {}

        def argument(value: list[Any]) -> Any:
            if len(value) == 4 and isinstance(value[3], Mapping):
                kwargs.update(value[3])
            return value[2] if value[0] == _CONSTANT else self._tensor(value)

        first = self._map(argument, node)
        if not self._is_key(node) and isinstance(first, list) and len(first) == 1:
            first = first[0]
        given = {key: self._map(self._tensor, value) for key, value in kwargs.items() if value is not None}
        if isinstance(first, list) and self.layers[name]["class_name"] in _RECURRENT:
            first, *states = first
            given["initial_state"] = states
        return {"args": [first], "kwargs": given}

    def _map(self, fn: Callable[[list[Any]], Any], value: Any) -> Any:
        if self._is_key(value):
            return fn(value)
        if isinstance(value, list):
            return [self._map(fn, part) for part in value]
        if isinstance(value, Mapping):
            return {key: self._map(fn, part) for key, part in value.items()}
        return value

    def ends(self, value: Any) -> Any:
        """Return the keys of a model's inputs or outputs; a single key without a list around it."""

        def end(value: list[Any]) -> list[Any]:
            name, number, place = self._key(value, self._ends_firsts)
            return [name, number + (self.layers[name]["class_name"] == "Functional"), place]  # as in Keras 3

        found = self._map(end, value)
        if not self._is_key(found) and isinstance(found, list) and len(found) == 1 and self._is_key(found[0]):
            return found[0]
        return found


# ---- models that begin with a merge, in Keras 1 --------------------------------------------------------------------


def _merges_models(entries: list[Any]) -> bool:
    first = entries[0] if entries else None
    if not isinstance(first, Mapping) or first.get("class_name") != "Merge" or not isinstance(first["config"], Mapping):
        return False
    return bool(first["config"].get("layers"))


def _merged(entries: list[Any], context: Context) -> dict[str, Any]:
    """Return the graph of merged branches and the layers that follow, as Keras 1 would have written it."""
    merge, *rest = entries
    found: list[dict[str, Any]] = []
    inputs: list[list[Any]] = []
    ends = []
    for i, branch in enumerate(merge["config"]["layers"]):
        ends.append(_branch(branch, found, inputs, context.within(f"layers[0]: branch {i}")))
    config = {key: value for key, value in merge["config"].items() if key != "layers"}
    name = config.get("name") or "merge"
    found.append({"class_name": "Merge", "config": config, "name": name, "inbound_nodes": [ends]})
    last = _chain(rest, [name, 0, 0], found, context)
    return {"layers": found, "input_layers": inputs, "output_layers": [last]}


def _branch(branch: Any, found: list[dict[str, Any]], inputs: list[list[Any]], context: Context) -> list[Any]:
    """Add the layers of a branch to `found` and its inputs to `inputs`, and return the key of its output."""
    name = branch.get("class_name") if isinstance(branch, Mapping) else None
    inner = branch.get("config") if isinstance(branch, Mapping) else None
    if name == "Sequential" and isinstance(inner, list) and inner:
        if _merges_models(inner):
            graph = _merged(inner, context)
            found += graph["layers"]
            inputs += graph["input_layers"]
            return graph["output_layers"][0]
        first = inner[0].get("config") if isinstance(inner[0], Mapping) else None
        shape = first.get("batch_input_shape") if isinstance(first, Mapping) else None
        if not isinstance(first, Mapping) or not isinstance(shape, list):
            raise context.refuse("its first layer has no `batch_input_shape`.")
        number = [f"{first.get('name')}_input", 0, 0]
        dtype = first.get("input_dtype")
        config = {"name": number[0], "batch_input_shape": shape, "input_dtype": dtype}
        found.append({"class_name": "InputLayer", "config": config, "name": number[0], "inbound_nodes": []})
        inputs.append(number)
        return _chain(inner, number, found, context)
    if isinstance(inner, Mapping) and {"layers", "input_layers", "output_layers"} <= set(inner):
        found += inner["layers"]
        inputs += inner["input_layers"]
        return inner["output_layers"][0]
    raise context.refuse(f"must be a Sequential model or a graph; received {name!r}.")


def _chain(entries: list[Any], key: list[Any], found: list[dict[str, Any]], context: Context) -> list[Any]:
    """Add layers, each called on the previous one, to `found`, and return the key of the last output."""
    for i, entry in enumerate(entries):
        inner = entry.get("config") if isinstance(entry, Mapping) else None
        name = inner.get("name") if isinstance(inner, Mapping) else None
        if not isinstance(name, str):
            raise context.within(f"layers[{i}]").refuse("has no name.")
        found.append({**entry, "name": name, "inbound_nodes": [[key]]})
        key = [name, 0, 0]
    return key
