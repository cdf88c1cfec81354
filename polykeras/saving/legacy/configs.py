"""Configs of layers of Keras 1 and 2, translated to Keras 3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polykeras.saving.custom_objects import find_custom, find_exactly
from polykeras.saving.keras_operations import CLASSES, OPS
from polykeras.saving.legacy import keras1
from polykeras.saving.legacy.arguments import CHANGES, check_arguments, modern_class
from polykeras.saving.legacy.classes import LAYERS, registry_of
from polykeras.saving.legacy.graphs import translate_graph, translate_sequential
from polykeras.saving.legacy.layout import Context
from polykeras.saving.legacy.values import plain, translate_argument

_INNER = ("layer", "backward_layer", "cell")
_GRAPHS = ("Model", "Functional", "Container", "Network")
_TENSORFLOW = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")
_ACTIVATIONS = ("activation", "recurrent_activation")


def translate_layer(entry: Any, context: Context) -> dict[str, Any]:
    """Return the config of a layer or model in the format of Keras 3.

    Args:
        entry: `{"class_name": ..., "config": ...}`, as in the file.
        context: where it was found.

    Raises:
        SavedFileError: if it is no such entry, names something unknown, or needs something unsupported.
    """
    name, inner, here = _opened(entry, context)
    registered = entry.get("registered_name")
    custom = custom_of(name, registered if isinstance(registered, str) else "", here.origin.major)
    is_graph = isinstance(inner, Mapping) and {"layers", "input_layers", "output_layers"} <= set(inner)
    if custom is None and name == "Sequential":
        return translate_sequential(inner, here, translate_layer)
    if is_graph and (custom is not None or name in _GRAPHS):
        own = None if custom is None else registered or name
        return translate_graph(inner, here, translate_layer, own)
    if not isinstance(inner, Mapping):
        raise here.refuse(f"its config must be a dict; received {type(inner).__name__}.")
    if custom is not None:
        config = {k: translate_argument(k, value, here) if k == "dtype" else value for k, value in inner.items()}
        made = {"module": None, "class_name": name, "config": config, "registered_name": registered or name}
        return made | {key: entry[key] for key in ("build_config",) if key in entry}
    if here.origin.major > 2:  # written as today, but perhaps without its module
        module = entry.get("module") or (CLASSES.get(name, OPS) if _is_op(name, inner) else LAYERS)
        return {**entry, "module": module, "config": dict(inner)}
    return _built_in(name, dict(plain(inner)), here)


def custom_of(name: str, registered: str, major: int) -> Any:
    """Return the user's class that a config means, or None if it means a built-in one."""
    custom = find_exactly(registered) if registered else None
    custom = custom if custom is not None else find_exactly(name)
    if custom is not None:
        return custom
    today = modern_class(keras1.class_of(name) if major == 1 else name, {})[0]
    if registry_of(LAYERS).knows(today) or name in _GRAPHS:
        return None
    return find_custom(registered or name)


def _opened(entry: Any, context: Context) -> tuple[str, Any, Context]:
    """Return the class, config and context of an entry."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("class_name"), str) or "config" not in entry:
        raise context.refuse(f"describes no layer: expected `class_name` and `config`; received {_short(entry)}.")
    inner = entry["config"]
    own = inner.get("name") if isinstance(inner, Mapping) else None
    title = entry.get("name") or own
    here = context.within(f"{title!r} ({entry['class_name']})" if title else entry["class_name"])
    return entry["class_name"], inner, here


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 80 else f"{text[:80]}..."


def _is_op(name: str, config: Mapping[str, Any]) -> bool:
    """Return whether an entry that Keras 3 wrote without its module is an op, such as `NotEqual`, and not a layer."""
    return not {"trainable", "dtype", "batch_shape"} & set(config) or not registry_of(LAYERS).knows(name)


def _built_in(name: str, config: dict[str, Any], context: Context) -> dict[str, Any]:
    if context.origin.major == 1:
        name, config = keras1.modernize(name, config, context)
    name, config = modern_class(name, config)
    if name in _TENSORFLOW:
        raise context.refuse(
            f"is an op of TensorFlow ({config.get('function') or config.get('node_def') or 'a slice'}) in the graph, "
            "which cannot be read. Build the model from its code, and use `load_weights`."
        )
    try:
        cls = registry_of(LAYERS).find(name)
    except ValueError as error:
        raise context.refuse(str(error)) from None
    config = {key: _argument(key, value, context) for key, value in config.items()}
    if name in CHANGES:
        CHANGES[name](config, context)
    return {
        "module": LAYERS,
        "class_name": name,
        "config": check_arguments(cls, config, context),
        "registered_name": None,
    }


def _argument(key: str, value: Any, context: Context) -> Any:
    if key in _INNER or (key in _ACTIVATIONS and _is_layer(value)):
        return translate_layer(value, context.within(key)) if isinstance(value, Mapping) else value
    if key == "cells" and isinstance(value, list):
        return [translate_layer(cell, context.within(f"cells[{i}]")) for i, cell in enumerate(value)]
    return translate_argument(key, value, context)


def _is_layer(value: Any) -> bool:
    """Return whether the value of an argument is the config of a layer, as an activation may be."""
    return isinstance(value, Mapping) and registry_of(LAYERS).knows(str(value.get("class_name")))
