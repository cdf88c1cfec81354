"""Weights in `.npz` files: plain arrays, nothing that could run when it is read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from polykeras import dtypes

if TYPE_CHECKING:
    from polykeras.layers.layer import Layer
    from polykeras.variables import Variable


def save_weights(layer: Layer, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Write the weights of a layer or model to a file, which is there as a whole or not at all.

    Args:
        layer: a built layer or model.
        filepath: ends in `.npz`.
        overwrite: whether a file that exists is replaced.

    Raises:
        FileExistsError: it exists and must not be replaced.
        ValueError: another suffix, or there are no weights yet.
    """
    from tempfile import NamedTemporaryFile

    path = npz_path(filepath)
    if not layer.built:
        raise ValueError(f"{layer.name!r} is not built and has no weights to save yet. Call it on data first.")
    if not overwrite and os.path.exists(path):
        raise FileExistsError(f"{path} exists; pass overwrite=True to replace it.")
    arrays = {name: v.numpy() for name, v in zip(unique_names(layer.weights), layer.weights, strict=True)}
    folder = os.path.dirname(path) or "."
    # Renaming is atomic within one folder: a reader, or a crash, never meets half a file.
    with NamedTemporaryFile(dir=folder, prefix=".weights-", suffix=".part", delete=False) as file:
        try:
            np.savez(file, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def load_weights(layer: Layer, filepath: str | os.PathLike[str]) -> None:
    """Give a layer or model the weights of a file; nothing is changed where they do not fit.

    They are found by name; where the layers have other names than those in the file, as a second model of the same
    making has, by their order.

    Args:
        layer: a built layer or model.
        filepath: what `save_weights` wrote.

    Raises:
        ValueError: another suffix, or the file holds another number of weights, or weights of other shapes.
    """
    path = npz_path(filepath)
    variables = layer.weights
    with np.load(path, allow_pickle=False) as file:
        stored = {name: file[name] for name in file.files}
    if len(stored) != len(variables):
        hint = "" if layer.built else " It is not built yet: call it on data first."
        raise ValueError(f"{path} holds {len(stored)} weights; {layer.name!r} has {len(variables)}.{hint}")
    names = unique_names(variables)
    arrays = [stored[name] for name in names] if stored.keys() == set(names) else list(stored.values())
    for variable, name, array in zip(variables, stored, arrays, strict=True):
        if array.shape != variable.shape:
            raise ValueError(
                f"{path}: the weight {variable.path!r} has shape {variable.shape}, but {name!r} in the file has shape "
                f"{array.shape}."
            )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(_with_dtype(array, variable))


def npz_path(filepath: str | os.PathLike[str]) -> str:
    """Return a path of weights as a string.

    Raises:
        ValueError: it does not end in `.npz`.
    """
    path = os.fspath(filepath)
    if not path.endswith(".npz"):
        raise ValueError(f"Weights are written to files that end in '.npz' ('model.weights.npz'); received {path!r}.")
    return path


def unique_names(variables: Sequence[Variable]) -> list[str]:
    """Return the variables' paths, numbered where two have the same."""
    counts: Counter[str] = Counter()
    names = []
    for variable in variables:
        number = counts[variable.path]
        counts[variable.path] += 1
        names.append(f"{variable.path}_{number}" if number else variable.path)
    return names


def _with_dtype(array: Any, variable: Variable) -> np.ndarray:
    """NumPy's format does not know bfloat16 and its like and stores their bytes."""
    return array.view(dtypes.numpy_dtype(variable.dtype)) if array.dtype.kind == "V" else array
