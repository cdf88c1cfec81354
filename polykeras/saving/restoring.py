"""From a config to a model and its state."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from polykeras.common import budget
from polykeras.common.checkpointable import Checkpointable
from polykeras.common.traits import overrides
from polykeras.saving.custom_objects import custom_object_scope
from polykeras.saving.errors import SavedFileError, reading
from polykeras.saving.files.base import ArrayFile
from polykeras.saving.lambdas import code_allowed
from polykeras.saving.serialization import deserialize_keras_object
from polykeras.saving.shared_objects import sharing_objects, with_numbers_on_both
from polykeras.saving.state import group_of, is_within, load_state
from polykeras.saving.walk import parts
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
    """Load the state of a model from a file. Its optimizer, and those of models in it, are built if necessary.

    Args:
        model: a built model, or a layer.
        arrays: the file.
        skip_mismatch: see `load_state`.

    Returns:
        The parts that were left out, each with the reason.

    Raises:
        SavedFileError: if they do not fit; nothing is changed.
    """
    return load_state(model, arrays, skip_mismatch, without=_optimizers_left_out(model, arrays))


def _optimizers_left_out(model: Any, arrays: ArrayFile) -> list[str]:
    """Return the paths of optimizers whose state in a file cannot be read; warn of what the file holds for them."""
    found: dict[str, Any] = dict(parts(model))
    compiled = [(path, part) for path, part in found.items() if hasattr(part, "compile_from_config")]
    left_out = [f"{path}/optimizer".lstrip("/") for path, part in compiled if part.optimizer is None]
    # What a user's `compile` makes is not there before it is called. `compile_from_config` has warned of this.
    alone = [path for path, part in compiled if part.optimizer is None and overrides(part, "compile")]
    left_out += [name for path in alone for name in _within(path, arrays.names()) - _within(path, found)]
    owners = {id(part.optimizer): part for _, part in reversed(compiled)}
    for path, part in found.items():
        if not part._optional_in_files:
            continue
        stored, owner = len(arrays.group(group_of(path))), owners.get(id(part))
        if stored > len(part._saved_variables()) and owner is not None and owner.built:
            with values_deferred(), reading(arrays.path, path):
                part.build(owner.trainable_variables)
        held = len(part._saved_variables())
        if stored and stored != held and not is_within(path, left_out):
            warnings.warn(
                f"{arrays.path}: the optimizer's state is not loaded: the file holds {stored} arrays at {path!r}, but "
                f"{type(part).__name__} has {held}. It stays as it is.",
                stacklevel=5,
            )
        if stored != held:
            left_out.append(path)
    return left_out


def _within(path: str, names: Iterable[str]) -> set[str]:
    """Return the paths of what lies directly within a part, of those in which some names lie."""
    start = f"{path}/".lstrip("/")
    return {start + name[len(start) :].partition("/")[0] for name in names if name.startswith(start)}
