"""Layers of Keras 1, translated to Keras 2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from polykeras.saving.legacy.layout import Context

Config = dict[str, Any]

_FORMATS = {"th": "channels_first", "tf": "channels_last", "default": None}
_REGULARIZERS = {"l1": {"l1": 0.01}, "l2": {"l2": 0.01}, "l1l2": {"l1": 0.01, "l2": 0.01}}
_CONSTRAINTS = {"maxnorm": "MaxNorm", "nonneg": "NonNeg", "unitnorm": "UnitNorm"}
_MERGES = {"sum": "Add", "mul": "Multiply", "ave": "Average", "max": "Maximum", "concat": "Concatenate", "dot": "Dot"}

_KERNEL = {
    "init": "kernel_initializer",
    "W_regularizer": "kernel_regularizer",
    "W_constraint": "kernel_constraint",
    "b_regularizer": "bias_regularizer",
    "b_constraint": "bias_constraint",
    "bias": "use_bias",
}
_CONVOLUTION = _KERNEL | {
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "border_mode": "padding",
    "subsample_length": "strides",
    "subsample": "strides",
    "atrous_rate": "dilation_rate",
    "dim_ordering": "data_format",
}
_POOLING = {
    "pool_length": "pool_size",
    "stride": "strides",
    "border_mode": "padding",
    "dim_ordering": "data_format",
}
_RECURRENT = _KERNEL | {
    "output_dim": "units",
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "U_regularizer": "recurrent_regularizer",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
}
_RATE = {"p": "rate"}
RENAMED: dict[str, dict[str, str]] = {
    "AveragePooling1D": _POOLING,
    "AveragePooling2D": _POOLING,
    "AveragePooling3D": _POOLING,
    "BatchNormalization": {"beta_init": "beta_initializer", "gamma_init": "gamma_initializer"},
    "Conv1D": _CONVOLUTION,
    "Conv2D": _CONVOLUTION,
    "Cropping2D": {"dim_ordering": "data_format"},
    "Cropping3D": {"dim_ordering": "data_format"},
    "Dense": _KERNEL | {"output_dim": "units"},
    "Dropout": _RATE,
    "Embedding": {
        "init": "embeddings_initializer",
        "W_regularizer": "embeddings_regularizer",
        "W_constraint": "embeddings_constraint",
    },
    "GRU": _RECURRENT,
    "GaussianDropout": _RATE,
    "GaussianNoise": {"sigma": "stddev"},
    "GlobalAveragePooling2D": {"dim_ordering": "data_format"},
    "GlobalAveragePooling3D": {"dim_ordering": "data_format"},
    "GlobalMaxPooling2D": {"dim_ordering": "data_format"},
    "GlobalMaxPooling3D": {"dim_ordering": "data_format"},
    "LSTM": _RECURRENT,
    "MaxPooling1D": _POOLING,
    "MaxPooling2D": _POOLING,
    "MaxPooling3D": _POOLING,
    "PReLU": {"init": "alpha_initializer"},
    "SeparableConv2D": {key: name for key, name in _CONVOLUTION.items() if not key.startswith(("W_", "init"))},
    "SimpleRNN": _RECURRENT,
    "SpatialDropout1D": _RATE,
    "SpatialDropout2D": _RATE | {"dim_ordering": "data_format"},
    "SpatialDropout3D": _RATE | {"dim_ordering": "data_format"},
    "UpSampling1D": {"length": "size"},
    "UpSampling2D": {"dim_ordering": "data_format"},
    "UpSampling3D": {"dim_ordering": "data_format"},
    "ZeroPadding2D": {"dim_ordering": "data_format"},
    "ZeroPadding3D": {"dim_ordering": "data_format"},
}
_CLASSES = {
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "AtrousConv1D": "Conv1D",
    "AtrousConv2D": "Conv2D",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "SeparableConvolution2D": "SeparableConv2D",
    "TimeDistributedDense": "Dense",  # our Dense does the same
}
# Arguments about the implementation, or that repeat the shape of the first layer.
_LEFT_OUT = ("consume_less", "input_dtype", "input_length", "input_dim")


def class_of(name: str) -> str:
    """Return the class of Keras 2 that replaces one of Keras 1."""
    return "Add" if name == "Merge" else _CLASSES.get(name, name)


def modernize(name: str, config: Config, context: Context) -> tuple[str, Config]:
    """Return the class and arguments of a layer of Keras 1 as Keras 2 would have written them.

    Raises:
        SavedFileError: if it asks for something that neither Keras 2 nor polykeras has.
    """
    name = _CLASSES.get(name, name)
    if name == "Merge":
        return _merge(config, context)
    renamed = RENAMED.get(name, {})
    # Both spellings occur: late versions of Keras 1 used some names of Keras 2.
    found = {renamed.get(key, key): value for key, value in config.items()}
    if name in _CHANGES:
        _CHANGES[name](found, context)
    if name == "InputLayer":
        found.setdefault("dtype", found.pop("input_dtype", None))
    kept = (*(("input_dim", "input_length") if name == "Embedding" else ()),)
    found = {key: value for key, value in found.items() if key in kept or key not in _LEFT_OUT}
    channels_first = found.get("data_format") == "th"
    return name, {key: value_today(key, value, context, channels_first) for key, value in found.items()}


def value_today(key: str, value: Any, context: Context, channels_first: bool) -> Any:
    """Return the value of an argument, given by its Keras 2 name, as Keras 2 would have written it.

    Raises:
        SavedFileError: if it asks for something that no longer exists.
    """
    kind = key.rpartition("_")[2]
    if key == "data_format":
        return _FORMATS.get(value, value)
    if kind == "initializer" and value == "orthogonal":
        return {"class_name": "Orthogonal", "config": {"gain": 1.1}}
    if kind == "regularizer":
        return _regularizer(value, context.within(key))
    if kind == "constraint":
        return _constraint(value, context.within(key), channels_first and key == "kernel_constraint")
    return value


def _regularizer(value: Any, context: Context) -> Any:
    if isinstance(value, str) and value in _REGULARIZERS:
        return {"class_name": "L1L2", "config": _REGULARIZERS[value]}
    if not isinstance(value, Mapping) or "name" not in value:
        return value
    if value["name"] not in ("WeightRegularizer", "ActivityRegularizer", "L1L2Regularizer"):
        raise context.refuse(f"the regularizer {value['name']!r} no longer exists.")
    return {"class_name": "L1L2", "config": {key: value.get(key) or 0.0 for key in ("l1", "l2")}}


def _constraint(value: Any, context: Context, channels_first: bool) -> Any:
    if isinstance(value, str):
        return _CONSTRAINTS.get(value, value)
    if not isinstance(value, Mapping) or "name" not in value:
        return value
    names = {"m": "max_value", "low": "min_value", "high": "max_value"}
    config = {names.get(key, key): part for key, part in value.items() if key != "name"}
    if channels_first and "axis" in config:
        axes = config["axis"] if isinstance(config["axis"], list) else [config["axis"]]
        if not all(isinstance(axis, int) and 0 <= axis < 4 for axis in axes):
            raise context.refuse(f"axis={config['axis']!r} is not an axis of a kernel.")
        config["axis"] = [(3, 2, 0, 1)[axis] for axis in axes]  # the present positions of these axes
    return {"class_name": _CONSTRAINTS.get(str(value["name"]).lower(), value["name"]), "config": config}


def _merge(config: Config, context: Context) -> tuple[str, Config]:
    mode = config.get("mode", "sum")
    if mode not in _MERGES:
        raise context.refuse(f"merges by {mode!r}; known are {', '.join(_MERGES)}.")
    found = {"name": config["name"]} if "name" in config else {}
    if mode == "concat":
        found["axis"] = config.get("concat_axis", -1)
    if mode == "dot":
        axes = config.get("dot_axes", -1)
        # Pairs of lists were allowed, with one axis in each.
        found["axes"] = (
            [a[0] if isinstance(a, list) and len(a) == 1 else a for a in axes] if isinstance(axes, list) else axes
        )
    return _MERGES[mode], found


# ---- arguments that were replaced ----------------------------------------------------------------------------------


def _convolution_2d(config: Config, context: Context) -> None:
    if "nb_row" in config and "nb_col" in config:
        config["kernel_size"] = [config.pop("nb_row"), config.pop("nb_col")]


def _separable(config: Config, context: Context) -> None:
    _convolution_2d(config, context)
    init = config.pop("init", None)
    if init is not None:
        config.setdefault("depthwise_initializer", init)
        config.setdefault("pointwise_initializer", init)
    for key in ("W_regularizer", "W_constraint"):
        if config.pop(key, None) is not None:
            raise context.refuse(f"{key} is not supported for separable convolutions.")


def _lstm(config: Config, context: Context) -> None:
    first = config.pop("forget_bias_init", "one")
    config["unit_forget_bias"] = first in ("one", "ones") or (
        isinstance(first, Mapping) and first.get("class_name") == "Ones"
    )


def _batch_normalization(config: Config, context: Context) -> None:
    mode = config.pop("mode", 0)
    if mode != 0:
        raise context.refuse(f"mode={mode} is not supported; only 0 is, the behaviour of all later versions.")


def _embedding(config: Config, context: Context) -> None:
    if config.pop("dropout", 0.0):
        raise context.refuse("dropout of whole words is not supported.")


def _padding(config: Config, context: Context) -> None:
    padding = config.get("padding")
    if isinstance(padding, Mapping):
        try:
            top, bottom, left, right = (padding[f"{side}_pad"] for side in ("top", "bottom", "left", "right"))
        except KeyError as error:
            raise context.refuse(f"padding={dict(padding)!r} has no {error}.") from None
        padding = [top, bottom, left, right]
    if isinstance(padding, list) and len(padding) == 4:
        config["padding"] = [padding[:2], padding[2:]]


_CHANGES: dict[str, Callable[[Config, Context], None]] = {
    "BatchNormalization": _batch_normalization,
    "Conv2D": _convolution_2d,
    "Embedding": _embedding,
    "LSTM": _lstm,
    "SeparableConv2D": _separable,
    "ZeroPadding2D": _padding,
}
