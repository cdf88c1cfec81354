"""Whole models in the HDF5 files of Keras 1 and 2: `.h5`, `.hdf5`."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from polykeras.common.release import KERAS_RELEASE
from polykeras.saving.custom_objects import get_registered_name
from polykeras.saving.errors import SavedFileError, reading
from polykeras.saving.files.atomic import atomic_write
from polykeras.saving.files.hdf5 import Hdf5File, require_h5py
from polykeras.saving.files.hdf5_writing import writing
from polykeras.saving.keras_operations import warn_of_own_ops
from polykeras.saving.legacy.classes import is_model
from polykeras.saving.legacy.configs import translate_layer
from polykeras.saving.legacy.layout import (
    OPTIMIZER,
    TOP_LEVEL,
    WEIGHTS,
    Context,
    Origin,
    arrays_of,
    names_of,
    origin_of,
    write_arrays,
    write_names,
)
from polykeras.saving.legacy.optimizer_state import Misfit, in_order, load_state
from polykeras.saving.legacy.order import not_trained, owners, trained, trained_in_order, weights_in_order
from polykeras.saving.legacy.training import compile_arguments, optimizer_arguments, training_config
from polykeras.saving.legacy.weights import Found, assign, find_weights
from polykeras.saving.limits import check_readable, read_json
from polykeras.saving.restoring import following, model_of_config
from polykeras.saving.shared_objects import sharing_objects

if TYPE_CHECKING:
    from polykeras.layers.base.layer import Layer
    from polykeras.models import Model

MODEL, TRAINING = "model_config", "training_config"

# Readers use it only to decide whether convolution kernels are reversed, as Theano's were.
_BACKEND = "tensorflow"


# ---- reading -------------------------------------------------------------------------------------------------------


def load_legacy(
    path: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Model:
    """Return the model of an `.h5` file of Keras 1 or 2, or one that Keras 3 wrote in that format.

    Args:
        path: the file.
        custom_objects: the user's classes and functions that the file names.
        compile: whether to compile the model as it was.
        safe_mode: whether code in the file is refused.

    Raises:
        SavedFileError: if the file is malformed, or needs something that polykeras does not have.
    """
    name = os.fspath(path)
    with following(custom_objects, safe_mode), Hdf5File(name, name) as file:
        origin = origin_of(file)
        config, size = _json(file, MODEL)
        if config is None:
            text = f"holds weights only, no model (it has no {MODEL}). Build the model, then use `load_weights`."
            raise SavedFileError(name, "", text)
        context = Context(name, origin, MODEL)
        with reading(name, MODEL):
            translated = translate_layer(config, context)
        model = model_of_config(translated, name, MODEL, size, alone=False)
        found = _load_weights(model, file, origin)
        if compile:
            _compile(model, file, origin, found)
    return model


def _json(file: Hdf5File, attribute: str) -> tuple[Any, int]:
    """Return an attribute of the root, read as JSON, or None, and the length of its text in bytes."""
    text = file.attribute(file.root, attribute, "/")
    if text is None:
        return None, 0
    if not isinstance(text, str):
        raise SavedFileError(file.path, attribute, "is no text.")
    data = text.encode("utf-8")
    return read_json(data, file.path, attribute), len(data)


def _load_weights(model: Any, file: Hdf5File, origin: Origin) -> list[Found]:
    if not model.built and _holds_weights(file):
        raise SavedFileError(
            file.path,
            MODEL,
            "does not say the shape of the model's input, so the shapes of the weights are unknown. Build the model "
            "from its code, call it on data and use `load_weights`.",
        )
    if file.find(WEIGHTS) is None:
        raise SavedFileError(file.path, WEIGHTS, "is missing.")
    found, _ = find_weights(model, file, origin)
    assign(found)
    return found


def _holds_weights(file: Hdf5File) -> bool:
    names = names_of(file, file.find(WEIGHTS), "layer_names", WEIGHTS) if file.find(WEIGHTS) is not None else None
    return any(arrays_of(file, f"{WEIGHTS}/{name}") for name in names or ())


def _compile(model: Any, file: Hdf5File, origin: Origin, found: list[Found]) -> None:
    config, _ = _json(file, TRAINING)
    if config is None:
        return
    with reading(file.path, TRAINING):
        model.compile(**compile_arguments(config, Context(file.path, origin, TRAINING)))
    if file.find(OPTIMIZER) is None or model.optimizer is None:
        return
    reason = load_state(model, arrays_of(file, OPTIMIZER), origin, found, optimizer_arguments(config))
    if reason:
        warnings.warn(f"{file.path}: the optimizer's state is not loaded: {reason} It starts again.", stacklevel=5)


# ---- writing -------------------------------------------------------------------------------------------------------


def save_legacy(
    model: Model, path: str | os.PathLike[str], overwrite: bool = True, include_optimizer: bool = True
) -> None:
    """Write a model to an `.h5` file, in the same format as Keras 3, either completely or not at all.

    Args:
        model: a built model.
        path: the file.
        overwrite: whether an existing file is replaced.
        include_optimizer: whether to write the compile arguments and the optimizer's state.

    Raises:
        FileExistsError: if the file exists and must not be replaced.
        ImportError: if h5py is not installed.
        NotImplementedError: if a layer cannot be described.
        ValueError: if the model has no weights yet, or its config is too large to be read again.
    """
    require_h5py()
    if not model.built:
        raise ValueError(f"{model.name!r} is not built and has no weights to save yet. Call it on data first.")
    attributes = _attributes(model, include_optimizer)
    warn_of_own_ops(json.loads(attributes[MODEL]), repr(model.name), os.fspath(path))
    for key in (MODEL, TRAINING):
        if key in attributes:
            check_readable(attributes[key], f"The {key} of {model.name!r}")
    with atomic_write(path, overwrite) as part, writing(part) as file:
        for key, text in attributes.items():
            file.attrs[key] = text.encode("utf-8")  # as in Keras, which expected bytes until version 3
        _write_weights(model, file.create_group(WEIGHTS))
        if include_optimizer and model.optimizer is not None:
            _write_state(model, file)


def save_legacy_weights(model: Layer, path: str, overwrite: bool = True) -> None:
    """Write the weights of a model to an `.h5` file in the format of Keras 2, either completely or not at all.

    Args:
        model: a built model.
        path: the file.
        overwrite: whether an existing file is replaced.

    Raises:
        FileExistsError: if the file exists and must not be replaced.
        ImportError: if h5py is not installed.
        ValueError: if it is a layer and not a model.
    """
    require_h5py()
    if not is_model(model):
        raise ValueError(
            f"Files of Keras 2 hold models; {model.name!r} ({type(model).__name__}) is not one. Let the name end in "
            "'.weights.h5'."
        )
    with atomic_write(path, overwrite) as part, writing(part) as file:
        _write_weights(model, file)


def _attributes(model: Any, include_optimizer: bool) -> dict[str, str]:
    with sharing_objects():
        inner = model.get_config()
    config = {"class_name": get_registered_name(type(model)), "config": inner}
    if model._graph_model() is None:  # the config does not contain its input shapes
        config["build_config"] = model.get_build_config()
    found = {
        "keras_version": KERAS_RELEASE,
        "backend": _BACKEND,
        MODEL: json.dumps(config),
    }
    told = model.get_compile_config() if include_optimizer else None
    if told:
        found[TRAINING] = json.dumps(training_config(told))
    return found


def _write_weights(model: Any, group: Any) -> None:
    layers = model.layers
    write_names(group, "layer_names", [layer.name for layer in layers])
    group.attrs["backend"], group.attrs["keras_version"] = _BACKEND.encode(), KERAS_RELEASE.encode()
    for layer in layers:
        arrays = [(variable.path, variable.numpy()) for variable in weights_in_order(layer)]
        write_arrays(group.create_group(layer.name), arrays)
    own = [*trained(model), *not_trained(model)] if any(owner is model for owner in owners(model)) else []
    write_arrays(group.create_group(TOP_LEVEL), [(variable.path, variable.numpy()) for variable in own])


def _write_state(model: Any, file: Any) -> None:
    optimizer = model.optimizer
    try:
        variables = in_order(optimizer, trained_in_order(model))
    except (AttributeError, Misfit):  # a user's own optimizer, or one that wraps another
        variables = list(optimizer.variables)
    if variables:
        arrays = [(variable.path, variable.numpy()) for variable in variables]
        write_arrays(file.create_group(OPTIMIZER), arrays)
