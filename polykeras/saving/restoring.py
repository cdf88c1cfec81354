"""From a config to a model, and its state."""

from __future__ import annotations

import warnings
from typing import Any

from polykeras import budget
from polykeras.saveable import Saveable
from polykeras.saving.errors import SavedFileError, reading
from polykeras.saving.files.base import ArrayFile
from polykeras.saving.serialization import deserialize_keras_object
from polykeras.saving.shared_objects import completed
from polykeras.saving.state import group_of, load_state
from polykeras.variables import values_deferred

_FREE_STEPS, _STEPS_A_BYTE = 200_000, 4


def model_of_config(config: Any, path: str, place: str, size: int = 0) -> Any:
    """Return the model of a config, which takes no memory for its weights before they are needed.

    Args:
        config: as JSON says it.
        path: the file, for messages.
        place: in the file.
        size: of the text in bytes; a larger one may take longer to build.

    Raises:
        SavedFileError: the config describes no model, or one that cannot be made.
    """
    with reading(path, place), values_deferred(), budget.limited(_FREE_STEPS + _STEPS_A_BYTE * size):
        model = deserialize_keras_object(completed(config))
    if not isinstance(model, Saveable) or not hasattr(model, "fit"):
        raise SavedFileError(path, place, f"describes no model but {type(model).__name__}.")
    return model


def restore(model: Any, arrays: ArrayFile) -> None:
    """Give a new model the state in a file.

    Raises:
        SavedFileError: they do not fit.
    """
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        stored = len(arrays.group(group_of("optimizer")))
        if stored > len(optimizer.variables) and model.built:
            with values_deferred(), reading(arrays.path, "optimizer"):
                optimizer.build(model.trainable_variables)
        if stored != len(optimizer.variables):
            warnings.warn(
                f"{arrays.path}: the optimizer's state is not read: the file holds {stored} arrays, and "
                f"{type(optimizer).__name__} has {len(optimizer.variables)}. It begins anew.",
                stacklevel=4,
            )
            load_state(model, arrays, without=("optimizer",))
            return
    load_state(model, arrays)
