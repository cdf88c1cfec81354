"""From a config to a model and its state."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from polykeras.common import budget
from polykeras.common.checkpointable import Checkpointable
from polykeras.saving.custom_objects import custom_object_scope
from polykeras.saving.errors import SavedFileError, reading
from polykeras.saving.files.base import ArrayFile
from polykeras.saving.lambdas import code_allowed
from polykeras.saving.serialization import deserialize_keras_object
from polykeras.saving.shared_objects import sharing_objects, with_numbers_on_both
from polykeras.saving.state import group_of, load_state
from polykeras.variables import values_deferred

_FREE_STEPS, _STEPS_A_BYTE = 200_000, 4


@contextmanager
def following(custom_objects: Mapping[str, Any] | None, safe_mode: bool) -> Iterator[None]:
    """Set up the reading of the configs of one file, within this context.

    Args:
        custom_objects: the user's classes and functions that the configs may name.
        safe_mode: whether code in the configs is refused.
    """
    with code_allowed(not safe_mode), custom_object_scope(custom_objects or {}), sharing_objects():
        yield


def model_of_config(config: Any, path: str, place: str, size: int = 0, alone: bool = True) -> Any:
    """Return the model of a config. Its weights take no memory until they are needed.

    Args:
        config: the config, read from JSON.
        path: the file, for messages.
        place: the place in the file.
        size: the size of the text in bytes; a larger text may take more steps to build.
        alone: whether the config may be that of a layer.

    Raises:
        SavedFileError: if the config describes no model, or a model that cannot be built.
    """
    with reading(path, place), values_deferred(), budget.limited(_FREE_STEPS + _STEPS_A_BYTE * size):
        model = deserialize_keras_object(with_numbers_on_both(config))
    if not isinstance(model, Checkpointable) or not (hasattr(model, "fit") or (alone and model._alone_in_files)):
        raise SavedFileError(path, place, f"describes no model, but {type(model).__name__}.")
    return model


def restore(model: Any, arrays: ArrayFile, skip_mismatch: bool = False) -> list[str]:
    """Load the state of a model from a file. Its optimizer is built for this if necessary.

    Args:
        model: a built model, or a layer.
        arrays: the file.
        skip_mismatch: see `load_state`.

    Returns:
        The parts that were left out, each with the reason.

    Raises:
        SavedFileError: if they do not fit; nothing is changed.
    """
    return load_state(model, arrays, skip_mismatch, without=() if _fits_optimizer(model, arrays) else ("optimizer",))


def _fits_optimizer(model: Any, arrays: ArrayFile) -> bool:
    """Return whether the optimizer's state in a file can be read; warn if not."""
    optimizer = getattr(model, "optimizer", None)
    stored = len(arrays.group(group_of("optimizer")))
    if optimizer is None or not stored:
        return False
    if stored > len(optimizer.variables) and model.built:
        with values_deferred(), reading(arrays.path, "optimizer"):
            optimizer.build(model.trainable_variables)
    if stored == len(optimizer.variables):
        return True
    warnings.warn(
        f"{arrays.path}: the optimizer's state is not loaded: the file holds {stored} arrays, but "
        f"{type(optimizer).__name__} has {len(optimizer.variables)}. It stays as it is.",
        stacklevel=5,
    )
    return False
