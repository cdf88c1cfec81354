"""Checkpoints in Orbax's format: a folder with a folder a step, which Keras's `OrbaxCheckpoint` and ours write."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from polykeras.distribution.whole import whole_on_first_worker
from polykeras.saving.errors import SavedFileError, reading
from polykeras.saving.limits import read_json
from polykeras.saving.state import saved_variables, unchanged_on_error
from polykeras.variables import Variable

if TYPE_CHECKING:
    from polykeras.models import Model

ARRAYS, CONFIG, ASSETS = "pytree", "model_config", "assets"
"""The names of what a step holds."""
_COMPLETE = "_CHECKPOINT_METADATA"
_WEIGHTS, _OPTIMIZER = ("trainable_variables", "non_trainable_variables"), "optimizer_variables"
_ORDER = "polykeras_order"
"""Beside the config: the paths of weights, and of the optimizer's variables, in the order of the model that was saved.

Variables of a model that is loaded may have other paths, as those of a `Sequential`. Keras's checkpoints lack this.
"""


def require_orbax() -> ModuleType:
    """Return the part of Orbax that reads and writes checkpoints.

    Raises:
        ImportError: it is not installed.
    """
    try:
        from orbax.checkpoint.experimental import v1
    except ImportError as error:
        raise ImportError("Checkpoints of Orbax need orbax-checkpoint: pip install 'polykeras[orbax]'.") from error
    return v1


def is_checkpoint(path: str) -> bool:
    """Return whether a folder is a complete step, or holds some."""
    return os.path.isfile(os.path.join(path, _COMPLETE)) or bool(complete_steps(path))


def complete_steps(folder: str | os.PathLike[str]) -> list[int]:
    """Return the numbers of the steps in a folder that were written completely, smallest first."""
    if not os.path.isdir(folder):
        return []
    found = (entry.name for entry in os.scandir(folder) if entry.name.isdecimal())
    return sorted(int(name) for name in found if os.path.isfile(os.path.join(folder, name, _COMPLETE)))


def remove_step(folder: str | os.PathLike[str], step: int) -> None:
    """Remove a step. If this is interrupted, the step is incomplete, and nothing reads it."""
    place = Path(folder, str(step))
    (place / _COMPLETE).unlink(missing_ok=True)
    shutil.rmtree(place, ignore_errors=True)


def checkpointables(model: Model, weights_only: bool = False) -> dict[str, Any] | None:
    """Return what a step holds, in memory of its own: the values of all variables, and what describes the model.

    All workers must call this if weights are cut over them.

    Args:
        model: a built model.
        weights_only: leave out the optimizer, the metrics and what describes the model.

    Returns:
        What to give to Orbax; None on workers that write nothing.
    """
    from polykeras.saving.archive import model_files, model_text  # with h5py, which `import polykeras` does not need

    with whole_on_first_worker(lambda: saved_variables(model)) as writes:
        if not writes:
            return None
        state = model.get_state_tree("numpy_array")
        if weights_only:
            return {ARRAYS: {kind: state[kind] for kind in _WEIGHTS}}
        order = json.dumps([[v.path for v in variables] for variables in _variables(model)])
        told = {"config": model_text(model, "an Orbax checkpoint"), _ORDER: order}
        made: dict[str, Any] = {ARRAYS: state, CONFIG: told}
        assets: dict[str, Any] = {}
        for path, file in model_files(model):
            *folders, name = path.split("/")
            inner = assets
            for part in folders:
                inner = inner.setdefault(part, {})
            inner[name] = np.fromfile(file, np.uint8)
        return {**made, ASSETS: assets} if assets else made


def load_checkpoint(path: str, custom_objects: Mapping[str, Any] | None, compile: bool, safe_mode: bool) -> Model:
    """Return the model of a checkpoint. Arguments are as for `load_model`.

    Raises:
        SavedFileError: it holds weights only, or is malformed.
    """
    from polykeras.saving.archive import load_assets
    from polykeras.saving.restoring import following, model_of_config

    step = _step(path)
    held = _metadata(step)
    if CONFIG not in held:
        raise SavedFileError(
            step, CONFIG, "holds weights alone. Build the model in code, then call model.load_weights on this folder."
        )
    told = _read(step, CONFIG, held)
    text = told.get("config")
    if not isinstance(text, str):
        raise SavedFileError(step, CONFIG, f"expected the JSON of a config; received {type(text).__name__}.")
    with following(custom_objects, safe_mode):
        config = read_json(text.encode(), step, CONFIG)
        if not compile and isinstance(config, dict):
            config.pop("compile_config", None)
        model = model_of_config(config, step, CONFIG, len(text))
        _assign(model, step, _read(step, ARRAYS, held), told.get(_ORDER), False)
        files = dict(_flat(_read(step, ASSETS, held))) if ASSETS in held else {}
        load_assets(model, {name: lambda data=data: np.asarray(data).tobytes() for name, data in files.items()}, step)
    return model


def load_checkpoint_weights(model: Any, path: str, skip_mismatch: bool) -> list[str]:
    """Set the weights, and the optimizer's state if there is one in the checkpoint and in the model.

    Args:
        model: a built model.
        path: the folder.
        skip_mismatch: leave out what does not fit.

    Returns:
        What was left out, each with the reason.

    Raises:
        SavedFileError: the checkpoint does not fit; nothing is changed.
    """
    step = _step(path)
    held = _metadata(step)
    order = _read(step, CONFIG, held).get(_ORDER) if CONFIG in held else None
    return _assign(model, step, _read(step, ARRAYS, held), order, skip_mismatch)


def _step(path: str) -> str:
    """Return the folder of a step: the path itself, or the last step in it."""
    if os.path.isfile(os.path.join(path, _COMPLETE)):
        return path
    return os.path.join(path, str(complete_steps(path)[-1]))


def _metadata(step: str) -> Mapping[str, Any]:
    """Return what is told of each thing that a step holds: for trees, the shapes and dtypes of their arrays."""
    with reading(step):
        return require_orbax().checkpointables_metadata(os.path.abspath(step)).metadata


def _read(step: str, what: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return one of the things that a step holds. Its arrays come to the host, on whatever devices they were."""
    with reading(step, what):
        asked = _on_host(metadata[what])
        found = require_orbax().load_checkpointables(os.path.abspath(step), {what: asked})[what]
    if not isinstance(found, dict):
        raise SavedFileError(step, what, f"expected a tree of dicts; received {type(found).__name__}.")
    return found


def _on_host(metadata: Any) -> Any:
    if isinstance(metadata, Mapping):
        return {name: _on_host(inner) for name, inner in metadata.items()}
    if hasattr(metadata, "shape"):
        return np.broadcast_to(np.zeros((), metadata.dtype), metadata.shape)  # tells both, and takes no memory
    return metadata


def _variables(model: Any) -> tuple[list[Variable], list[Variable]]:
    """Return the weights of a model, and the variables of its optimizer."""
    optimizer = getattr(model, "optimizer", None)
    return list(model.variables), [] if optimizer is None else list(optimizer.variables)


def _assign(model: Any, step: str, tree: dict[str, Any], order: Any, skip_mismatch: bool) -> list[str]:
    states = dict(_flat(tree.get(_OPTIMIZER, {})))
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and states and not optimizer.built:
        optimizer.build(model.trainable_variables)
    weights = {path: value for kind in _WEIGHTS for path, value in _flat(tree.get(kind, {}))}
    groups = zip(_variables(model), (weights, states), _orders(step, order), strict=True)
    pairs: list[tuple[Variable, np.ndarray]] = []
    wrong: list[tuple[str, str]] = []
    for variables, stored, paths in groups:
        if stored and variables:
            _match(variables, stored, paths, pairs, wrong)
    if wrong and not skip_mismatch:
        raise SavedFileError(step, *wrong[0])
    with unchanged_on_error([model]):
        for variable, value in pairs:
            variable.assign(value)
    return [f"{path}: {reason}" for path, reason in wrong]


def _orders(step: str, text: Any) -> tuple[list[str], list[str]]:
    """Return the paths of the saved weights and optimizer's variables in order; empty lists if it is unknown."""
    if text is None:
        return [], []
    found = read_json(str(text).encode(), step, _ORDER)
    if not isinstance(found, list) or len(found) != 2 or not all(isinstance(paths, list) for paths in found):
        raise SavedFileError(step, _ORDER, "expected two lists of paths.")
    return found[0], found[1]


def _match(
    variables: list[Variable],
    stored: dict[str, Any],
    order: list[str],
    pairs: list[tuple[Variable, np.ndarray]],
    wrong: list[tuple[str, str]],
) -> None:
    """Collect variables with their stored values, and the paths of what does not fit, each with the reason."""
    own = [variable.path for variable in variables]
    # By place, where the same model was saved; else by path.
    paths = order if len(order) == len(own) and set(own) != set(stored) else own
    for variable, path in zip(variables, paths, strict=True):
        if path not in stored:
            wrong.append((path, "the checkpoint has no value for this variable of the model."))
            continue
        value = np.asarray(stored[path])
        if value.shape == tuple(variable.shape):
            pairs.append((variable, value))
        else:
            wrong.append((path, f"{variable.path!r} has the shape {tuple(variable.shape)}; received {value.shape}."))
    wrong += [(path, "the model has no such variable.") for path in stored if path not in paths]


def _flat(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items() if isinstance(tree, Mapping) else ():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", value
