"""Arguments of layers that Keras 2 knew and polykeras does not, or knows by another name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras.saving.configurable import init_parameters
from polykeras.saving.legacy.layout import Context
from polykeras.saving.legacy.values import translate_lambda

_ANYTHING = object()

# Arguments that may be dropped, with the values that have no effect.
_NEUTRAL: dict[str, Any] = {
    "adjustment": (None,),
    "autocast": (True, None),
    "data_format": (None, "channels_last"),
    "dynamic": (False, None),
    "experimental_autocast": (True, None),
    "fused": _ANYTHING,  # an implementation detail
    "groups": (1,),
    "implementation": _ANYTHING,  # an implementation detail
    "noise_shape": (None,),
    "num_constants": (None, 0),
    "ragged": (False, None),
    "sparse": (False, None),
    "supports_masking": _ANYTHING,  # our layers know it themselves
    "time_major": (False, None),
    "use_legacy_config": _ANYTHING,
    "virtual_batch_size": (None,),
}
_NO_KERNEL = {"kernel_initializer": _ANYTHING, "kernel_regularizer": (None,), "kernel_constraint": (None,)}
_NEUTRAL_FOR: dict[str, dict[str, Any]] = {
    "DepthwiseConv1D": _NO_KERNEL | {"filters": (None,)},
    "DepthwiseConv2D": _NO_KERNEL | {"filters": (None,)},
    "MultiHeadAttention": {"query_shape": _ANYTHING, "key_shape": _ANYTHING, "value_shape": _ANYTHING},
    "SeparableConv1D": _NO_KERNEL,
    "SeparableConv2D": _NO_KERNEL,
}
"""Arguments of single layers: `_NO_KERNEL` is for layers whose kernels have other names."""
_OF_FIRST_LAYERS = {"batch_input_shape", "batch_size", "input_shape"}


def check_arguments(cls: type, config: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return a layer's arguments without unknown ones that have no effect.

    Raises:
        SavedFileError: if an argument is not known, or would change something.
    """
    known = {parameter.name for parameter in init_parameters(cls)} | _OF_FIRST_LAYERS
    neutral = _NEUTRAL | _NEUTRAL_FOR.get(cls.__name__, {})
    kept = {}
    for key, value in config.items():
        if key in known:
            kept[key] = value
        elif key not in neutral:
            raise context.refuse(f"the argument {key!r} ({value!r}) is unknown.")
        elif neutral[key] is not _ANYTHING and value not in neutral[key]:
            raise context.refuse(f"{key}={value!r} is not supported; only {neutral[key][0]!r} is.")
    return kept


# ---- renamed and changed -------------------------------------------------------------------------------------------


def _input_layer(config: dict[str, Any], context: Context) -> None:
    shape = config.pop("batch_input_shape", None)
    if shape is not None:
        config.setdefault("batch_shape", shape)
    config.pop("trainable", None)
    if config.get("sparse") or config.get("ragged"):
        raise context.refuse("sparse and ragged inputs are not supported.")


def _leaky_relu(config: dict[str, Any], context: Context) -> None:
    if "alpha" in config:
        config["negative_slope"] = config.pop("alpha")


def _batch_normalization(config: dict[str, Any], context: Context) -> None:
    axis = config.get("axis", -1)
    if isinstance(axis, list):
        if len(axis) != 1:
            raise context.refuse(f"axis={axis} names {len(axis)} axes; only one is supported.")
        config["axis"] = axis[0]


def _embedding(config: dict[str, Any], context: Context) -> None:
    length = config.pop("input_length", None)
    if length is not None and "batch_input_shape" not in config:
        config["batch_input_shape"] = [None, *(length if isinstance(length, list) else [length])]
    if str(config.get("dtype", "")).startswith(("int", "uint")):
        del config["dtype"]  # the dtype of the indices, in the first versions


def _gru(config: dict[str, Any], context: Context) -> None:
    config.setdefault("reset_after", False)  # the behaviour of versions without this argument


def _lambda(config: dict[str, Any], context: Context) -> None:
    translated = translate_lambda(config, context)
    config.clear()
    config.update(translated)


CHANGES: dict[str, Callable[[dict[str, Any], Context], None]] = {
    "BatchNormalization": _batch_normalization,
    "Embedding": _embedding,
    "GRU": _gru,
    "GRUCell": _gru,
    "InputLayer": _input_layer,
    "Lambda": _lambda,
    "LeakyReLU": _leaky_relu,
}
"""Changes to the arguments of a class, made in place."""


def modern_class(name: str, config: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return a class that replaces one of Keras 2 that polykeras lacks, and its arguments."""
    if name == "CuDNNLSTM":
        return "LSTM", config | {"recurrent_activation": "sigmoid"}
    if name == "CuDNNGRU":
        return "GRU", config | {"recurrent_activation": "sigmoid", "reset_after": True}
    if name == "ThresholdedReLU":
        rest = {key: value for key, value in config.items() if key != "theta"}
        return "ReLU", rest | {"threshold": config.get("theta", 1.0)}
    return name, config
