"""Copies of models with new layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from polykeras.common import nested
from polykeras.graph import KerasTensor
from polykeras.layers.base.layer import Layer
from polykeras.layers.core.input_layer import Input, InputLayer
from polykeras.models.model import Model
from polykeras.models.sequential import Sequential
from polykeras.saving.custom_objects import custom_object_scope
from polykeras.saving.limits import read_json
from polykeras.saving.restoring import model_of_config
from polykeras.saving.shared_objects import sharing_objects


def _clone(operation: Any) -> Any:
    return type(operation).from_config(operation.get_config())


def _recursive(clone: Callable[[Any], Any], call_function: Callable[..., Any] | None) -> Callable[[Any], Any]:
    def clone_within(layer: Any) -> Any:
        if isinstance(layer, Model) and (isinstance(layer, Sequential) or layer._graph_model() is not None):
            calls = None if isinstance(layer, Sequential) else call_function
            return clone_model(layer, None, clone, calls, recursive=True)
        return clone(layer)

    return clone_within


def clone_model(
    model: Layer,
    input_tensors: Any = None,
    clone_function: Callable[[Any], Any] | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
) -> Any:
    """Return a copy of a model: new layers and new weights, connected in the same way, and compiled if the model is.

    Args:
        model: any model, or a layer. A subclassed model or a layer is made again from its config, and built if it was.
        input_tensors: symbolic tensors to use as inputs instead of new ones, in the structure of the model's inputs;
            one for a Sequential.
        clone_function: a function that takes a layer, and returns the layer to use in its place.
        call_function: `call_function(layer, *args, **kwargs)` calls a new layer of a functional model. It returns the
            tensors that the next layers take, such as the layer's outputs with dropout.
        recursive: whether these functions also clone the layers of nested models; if not, a nested model is one layer.

    Raises:
        ValueError: another argument is given for a subclassed model, or `call_function` or several `input_tensors` for
            a Sequential.
    """
    cloned = _cloned(model, input_tensors, clone_function, call_function, recursive)
    if isinstance(model, Model) and model.compiled:
        cloned.compile_from_config(model.get_compile_config())
    return cloned


def _once(clone: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that clones an operation when it meets it first, and then returns that clone again."""
    made: dict[int, Any] = {}

    def clone_once(operation: Any) -> Any:
        if id(operation) not in made:
            made[id(operation)] = clone(operation) if hasattr(operation, "weights") else _clone(operation)
        return made[id(operation)]

    return clone_once


def _cloned_sequential(model: Sequential, input_tensors: Any, clone: Callable[[Any], Any]) -> Sequential:
    start: list[Any] = [_clone(layer) for layer in model._layers_to_copy() if isinstance(layer, InputLayer)]
    if input_tensors is not None:
        flat = nested.flatten(input_tensors)
        if len(flat) != 1 or not isinstance(flat[0], KerasTensor):
            raise ValueError(
                "clone_model: `input_tensors` of a Sequential must be one symbolic tensor, such as the result of "
                f"Input(); received {input_tensors!r}."
            )
        start = [Input(tensor=flat[0], name=start[0].name if start else None)]
    copied = type(model)([*start, *map(clone, model.layers)], name=model.name)
    copied._trainable = model.trainable  # each layer has its own
    return copied


def _cloned(
    model: Layer,
    input_tensors: Any,
    clone_function: Callable[[Any], Any] | None,
    call_function: Callable[..., Any] | None,
    recursive: bool,
) -> Any:
    """Return a copy of a model as `clone_model` does, not compiled."""
    clone = clone_function or _clone
    clone = _once(_recursive(clone, call_function) if recursive else clone)
    if isinstance(model, Sequential) and call_function is not None:
        raise ValueError("clone_model: the layers of a Sequential are listed, not called; leave out `call_function`.")
    if isinstance(model, Sequential):
        return _cloned_sequential(model, input_tensors, clone)
    graph = model._graph_model() if isinstance(model, Model) else None  # a layer is made again too, as in Keras
    if graph is None:
        if input_tensors is not None or clone_function is not None or call_function is not None:
            raise ValueError(
                f"{type(model).__name__} {model.name!r} has no graph: it can only be cloned as a whole, without "
                "`input_tensors`, `clone_function` and `call_function`."
            )
        whole = _clone(model)
        if built_with := model.get_build_config():
            whole.build_from_config(built_with)
        return whole

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        new = clone(operation)
        return new(*args, **kwargs) if call_function is None else call_function(new, *args, **kwargs)

    function = graph._graph
    flat = nested.flatten(input_tensors)
    if input_tensors is None:
        flat = [Input(batch_shape=x.shape, dtype=x.dtype, name=x.name) for x in function.inputs]
    outputs = function(flat, call)
    return type(model)(inputs=nested.unflatten(function.input_definition, flat), outputs=outputs, name=model.name)


def model_from_json(json_string: str, custom_objects: Mapping[str, Any] | None = None) -> Model:
    """Return the model that `Model.to_json` described, with new weights.

    Args:
        json_string: the result of `to_json`.
        custom_objects: the user's classes and functions that the config names.

    Raises:
        SavedFileError: the string describes no model, or one that cannot be made. The error is a `ValueError`.
    """
    text = json_string.encode("utf-8", "surrogatepass")
    config = read_json(text, "model_from_json", "")
    with sharing_objects(), custom_object_scope(custom_objects or {}):
        return model_of_config(config, "model_from_json", "", len(text))
