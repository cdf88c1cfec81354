"""The compile arguments in files of Keras 1 and 2."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from polykeras.saving.custom_objects import find_exactly
from polykeras.saving.legacy.classes import LOSSES, METRICS, OPTIMIZERS, registry_of
from polykeras.saving.legacy.layout import Context
from polykeras.saving.legacy.values import plain
from polykeras.saving.serialization import deserialize_keras_object, serialize_keras_object

_SHORT = ("accuracy", "acc", "crossentropy", "ce")  # the shapes decide which metric these mean
_RENAMED = {"cosine_proximity": "cosine_similarity", "cosine": "cosine_similarity"}
_KEPT = ("run_eagerly", "steps_per_execution", "jit_compile")
_KNOWN = (
    *_KEPT,
    "auto_scale_loss",
    "from_serialized",
    "loss",
    "loss_weights",
    "metrics",
    "optimizer",
    "optimizer_config",
    "sample_weight_mode",  # the shape of sample weights says what they are for
    "weighted_metrics",
)
# Arguments without effect here; and `schedule_decay`, which Nadam no longer has, here and in Keras 3.
_LEFT_OUT = ("jit_compile", "is_legacy_optimizer", "schedule_decay")


def compile_arguments(config: Any, context: Context) -> dict[str, Any]:
    """Return the arguments of `compile` from the `training_config` of a file.

    Raises:
        SavedFileError: if it cannot be parsed, or names something unknown.
    """
    if not isinstance(config, Mapping) or "optimizer_config" not in config:
        raise context.refuse("has no `optimizer_config`. Pass compile=False, and compile the model yourself.")
    if context.origin.major < 3:
        config = plain(config)
    unknown = [key for key, value in config.items() if key not in _KNOWN and value is not None]
    if unknown:
        raise context.refuse(f"{unknown} are unknown. Pass compile=False, and compile the model yourself.")
    told: dict[str, Any] = {key: config[key] for key in _KEPT if config.get(key) is not None}
    if told.get("steps_per_execution") == 1:  # Keras's default; ours is chosen automatically
        del told["steps_per_execution"]
    told["optimizer"] = _optimizer(config["optimizer_config"], context.within("optimizer_config"))
    told["loss"] = _nested(config.get("loss"), LOSSES, context.within("loss"))
    told["loss_weights"] = config.get("loss_weights")
    for key in ("metrics", "weighted_metrics"):
        value = config.get(key)
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
            value = value[0]  # the value for the only output
        told[key] = _nested(value, METRICS, context.within(key))
    return told


def _optimizer(entry: Any, context: Context) -> Any:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("class_name"), str):
        raise context.refuse(f"describes no optimizer: {entry!r}.")
    name, inner = entry["class_name"], entry.get("config")
    if context.origin.major > 2:
        return registry_of(OPTIMIZERS).deserialize(dict(entry))
    if not isinstance(inner, Mapping):
        raise context.refuse("`config` must be a dict.")
    if find_exactly(name) is not None:
        return deserialize_keras_object({"module": None, "class_name": name, "config": dict(inner)})
    name = name.removeprefix("Custom>")
    if name.lower() == "lossscaleoptimizer":  # compile makes a new one if the dtypes need it
        return _optimizer(inner.get("inner_optimizer") or inner.get("optimizer"), context)
    arguments = {key: value for key, value in inner.items() if key not in _LEFT_OUT}
    if not arguments.get("decay"):
        arguments.pop("decay", None)
    if name.lower() == "adagrad":
        arguments.setdefault("initial_accumulator_value", 0.0)  # the behaviour of versions without this argument
    return registry_of(OPTIMIZERS).deserialize({"module": OPTIMIZERS, "class_name": name, "config": arguments})


def optimizer_arguments(config: Any) -> Mapping[str, Any]:
    """Return the arguments of the optimizer in a `training_config`, as the file has them."""
    entry = config.get("optimizer_config") if isinstance(config, Mapping) else None
    inner = entry.get("config") if isinstance(entry, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def training_config(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `training_config` of a file for the result of `get_compile_config`.

    Names of losses and metrics become configs, since Keras 3 does not find functions by name in such files.
    """
    found = dict(told)
    for key, module in (("loss", LOSSES), ("metrics", METRICS), ("weighted_metrics", METRICS)):
        found[key] = _described(told.get(key), module)
    optimizer = found.pop("optimizer", None)
    if optimizer is not None:
        name = optimizer.get("registered_name") or optimizer["class_name"]
        found["optimizer_config"] = {"class_name": name, "config": optimizer["config"]}
    return found


def _described(value: Any, module: str) -> Any:
    if isinstance(value, (list, tuple)):
        return [_described(part, module) for part in value]
    if isinstance(value, Mapping) and "class_name" not in value:
        return {key: _described(part, module) for key, part in value.items()}
    registry = registry_of(module)
    if not isinstance(value, str) or value in _SHORT or find_exactly(value) is not None or not registry.knows(value):
        return value
    found = registry.find(value)
    if inspect.isclass(found):
        cls: Any = found
    else:
        cls = next((cls for cls in registry._objects.values() if getattr(cls, "fn", None) is found), None)
    if cls is None:
        return value
    return serialize_keras_object(cls(name=value) if module == METRICS else cls())


def _nested(value: Any, module: str, context: Context) -> Any:
    """Return losses or metrics in the same structure as their names."""
    if isinstance(value, list):
        return [_nested(part, module, context) for part in value]
    if isinstance(value, Mapping) and "class_name" in value:
        return _made(value, module, context)
    if isinstance(value, Mapping):
        return {key: _nested(part, module, context) for key, part in value.items()}
    if isinstance(value, str):
        custom = find_exactly(value)
        return custom if custom is not None else _RENAMED.get(value, value)
    return value


def _made(entry: Mapping[str, Any], module: str, context: Context) -> Any:
    name, inner = entry["class_name"], entry.get("config")
    if context.origin.major > 2 or find_exactly(str(name)) is not None or not isinstance(inner, Mapping):
        return deserialize_keras_object(dict(entry) | {"module": entry.get("module") or module})
    name = str(name).removeprefix("Custom>")
    inner = dict(inner)
    if name == "MeanMetricWrapper":
        return _nested(inner["name"] if inner.get("name") in _SHORT else inner.get("fn"), module, context)
    if module == LOSSES:
        if inner.get("reduction") == "auto":
            inner["reduction"] = "sum_over_batch_size"
        inner.pop("fn", None)
    return deserialize_keras_object({"module": module, "class_name": name, "config": inner})
