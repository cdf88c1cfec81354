"""Files of weights: `.weights.h5` as in Keras 3, `.npz`, `.safetensors`, several with a `.json`; `.h5` of Keras 2."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

from polykeras.distribution.whole import whole_on_first_worker

if TYPE_CHECKING:
    from polykeras.layers.base.layer import Layer

SUFFIXES = (".weights.h5", ".npz", ".safetensors", ".weights.json")
"""How the names of files of weights end."""
LEGACY_SUFFIXES = (".h5", ".hdf5")
"""How those of Keras 1 and 2 end, of models and of weights."""


def save_weights(
    model: Layer, filepath: str | os.PathLike[str], overwrite: bool = True, max_shard_size: float | None = None
) -> None:
    """Write the weights of a layer or model to a file, either completely or not at all.

    The optimizer state of a compiled model is included. Names in the file come from the structure of the model, not
    from the names of its layers. If weights are cut over several processes (`ModelParallel`), all call this, and worker
    0 writes.

    Args:
        model: a built layer or model.
        filepath: a path that ends in one of `SUFFIXES`. Another `.h5` or `.hdf5` file is written in the format of Keras
            2, which Keras 3 also reads, without the optimizer.
        overwrite: whether an existing file is replaced.
        max_shard_size: for `.weights.json`: the size in GB (2**30 bytes) of one of several files; 5 by default.

    Raises:
        FileExistsError: if the file exists and must not be replaced.
        ImportError: if the library that the format needs is not installed.
        ValueError: if the suffix is unknown, or there are no weights yet.
    """
    # Libraries of formats are imported when files are written: `import polykeras` needs none of them.
    from polykeras.saving.state import saved_variables

    path = os.fspath(filepath)
    legacy = _is_legacy(path) and max_shard_size is None
    if not legacy:
        _checked(path)
    if not model.built:
        raise ValueError(f"{model.name!r} is not built and has no weights to save yet. Call it on data first.")
    with whole_on_first_worker(lambda: saved_variables(model)) as writes:
        if writes:
            _write(model, path, legacy, overwrite, max_shard_size)


def _write(model: Layer, path: str, legacy: bool, overwrite: bool, max_shard_size: float | None) -> None:
    from polykeras.saving.files.formats import write_arrays
    from polykeras.saving.state import save_state

    if legacy:
        from polykeras.saving.legacy.files import save_legacy_weights

        save_legacy_weights(model, path, overwrite)
        return
    write_arrays(lambda writer: save_state(model, writer), path, overwrite, max_shard_size)


def load_weights(
    model: Layer, filepath: str | os.PathLike[str], skip_mismatch: bool = False, by_name: bool = False
) -> None:
    """Load the weights of a layer or model from a file. If they do not fit, nothing is changed.

    Args:
        model: a built layer or model.
        filepath: a file that `save_weights` or Keras 3 wrote, a `.keras` file, an `.h5` file of Keras 1 or 2, or a
            folder of `OrbaxCheckpoint`.
        skip_mismatch: leave out, with a warning, what the file lacks or holds with other shapes.
        by_name: for `.h5` files of Keras 1 and 2: match layers by name instead of order, and ignore others.

    Raises:
        SavedFileError: if the file is malformed, or does not fit the model.
        ImportError: if the library that the format needs is not installed.
        ValueError: if the suffix is unknown, or the layer has no weights yet.
    """
    path = os.fspath(filepath)
    if not model.built:
        raise ValueError(f"{model.name!r} is not built and has no weights to load yet. Call it on data first.")
    legacy = _is_legacy(path)
    if by_name and not legacy:
        raise ValueError(f"`by_name` is for '.h5' files of Keras 1 and 2; {path!r} names weights by their position.")
    if legacy:
        from polykeras.saving.legacy.weights import load_legacy_weights

        left_out = load_legacy_weights(model, path, by_name, skip_mismatch)
    else:
        left_out = _load(model, path, skip_mismatch)
    for reason in left_out:
        warnings.warn(f"{path}: left out: {reason}", stacklevel=3)


def _load(model: Layer, path: str, skip_mismatch: bool) -> list[str]:
    if os.path.isdir(path):
        from polykeras.saving.orbax import is_checkpoint, load_checkpoint_weights

        if is_checkpoint(path):
            return load_checkpoint_weights(model, path, skip_mismatch)
    from polykeras.saving.archive import open_weights
    from polykeras.saving.files.formats import open_arrays
    from polykeras.saving.restoring import restore

    with open_weights(path) if path.endswith(".keras") else open_arrays(_checked(path)) as file:
        return restore(model, file, skip_mismatch)


def _is_legacy(path: str) -> bool:
    return path.endswith(LEGACY_SUFFIXES) and not path.endswith(SUFFIXES)


def _checked(filepath: str | os.PathLike[str]) -> str:
    path = os.fspath(filepath)
    if not path.endswith(SUFFIXES):
        raise ValueError(
            f"Weights are written to files that end in one of {', '.join(SUFFIXES)}, as in 'model.weights.h5'; "
            f"received {path!r}."
        )
    return path
