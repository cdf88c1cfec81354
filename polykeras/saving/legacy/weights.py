"""Weights from HDF5 files of Keras 1 and 2, matched by the order or the names of layers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from polykeras.backend import registry
from polykeras.common.checkpointable import SavedGroup
from polykeras.saving.errors import SavedFileError, no_file, reading
from polykeras.saving.files.base import StoredArray
from polykeras.saving.files.hdf5 import Hdf5File
from polykeras.saving.legacy.classes import is_model
from polykeras.saving.legacy.forms import Part, match
from polykeras.saving.legacy.layout import TOP_LEVEL, Origin, arrays_of, names_of, origin_of, weights_place
from polykeras.saving.legacy.order import not_trained, owners, trained, weights_in_order
from polykeras.saving.state import unchanged_on_error
from polykeras.variables import Variable


@dataclass(frozen=True)
class Found:
    """The weights of a model's layer, found in a file.

    Attributes:
        parts: the position of each inner layer's weights.
        names: the names of the arrays.
        arrays: all arrays, in the order of the file.
        path: the file.
        place: the group in the file.
        some: single weights, each with its array, of a layer whose others do not fit.
    """

    parts: list[Part]
    names: list[str]
    arrays: list[StoredArray]
    path: str
    place: str
    some: Sequence[tuple[Variable, StoredArray]] = ()


def load_legacy_weights(layer: Any, path: str, by_name: bool = False, skip_mismatch: bool = False) -> list[str]:
    """Load the weights of a model from an `.h5` file of Keras 1 or 2, or one that Keras 3 wrote in that format.

    Args:
        layer: a built model.
        path: a file of a whole model, or of weights alone.
        by_name: match layers by name, and ignore layers that the file does not hold.
        skip_mismatch: leave out weights that the file lacks or holds with other shapes.

    Returns:
        The parts that were asked for but left out, each with the reason.

    Raises:
        SavedFileError: if the file is malformed, or does not fit the model; then nothing is changed.
    """
    if not os.path.exists(path):
        raise no_file(path)
    if not is_model(layer):
        raise ValueError(f"Files of Keras 1 and 2 hold models; {layer.name!r} ({type(layer).__name__}) is not one.")
    with Hdf5File(path, path) as file:
        found, left_out = find_weights(layer, file, origin_of(file), by_name, skip_mismatch)
        assign(found)
    return left_out


def find_weights(
    model: Any, file: Hdf5File, origin: Origin, by_name: bool = False, skip_mismatch: bool = False
) -> tuple[list[Found], list[str]]:
    """Find the weights of a model in a file, and check all shapes before any array is read.

    Returns:
        The weights of the layers, and descriptions of the parts that were left out.

    Raises:
        SavedFileError: if they do not fit.
    """
    place = weights_place(file)
    left_out: list[str] = []
    found: list[Found] = []
    pairs = [(owners(one), one, at) for one, at in _pairs(model, file, place, by_name, skip_mismatch, left_out)]
    top = f"{place}/{TOP_LEVEL}".lstrip("/")
    if model._own_variables() and file.find(top) is not None and arrays_of(file, top):
        pairs.append(([model], model, top))
    for within, layer, inner_place in pairs:
        try:
            found.append(_find(within, layer, file, inner_place, origin))
        except SavedFileError as error:
            if not skip_mismatch:
                raise
            left_out.append(f"{error.place}: {error.reason}")
            found.append(_find_some(layer, file, inner_place))
    return found, left_out


def _pairs(
    model: Any, file: Hdf5File, place: str, by_name: bool, skip_mismatch: bool, left_out: list[str]
) -> list[tuple[Any, str]]:
    """Return the layers of a model, each with the group of its weights."""
    listed = names_of(file, file.find(place) if place else file.root, "layer_names", place or "/") or []
    groups = {name: f"{place}/{name}".lstrip("/") for name in listed}
    held = [name for name in groups if arrays_of(file, groups[name])]
    layers = [layer for layer in model.layers if owners(layer)]
    names = [layer.name for layer in layers]
    if by_name:
        pairs = [(layer, groups[layer.name]) for layer in layers if layer.name in held]
        if not pairs and layers:
            left_out.append(f"{place or '/'}: no layer has the name of one in the file: {names}; there {held}.")
        return pairs
    if len(names) == len(held) and set(names) == set(held):  # true for a file of the whole model
        return [(layer, groups[layer.name]) for layer in layers]
    if len(names) == len(held):
        return [(layer, groups[name]) for layer, name in zip(layers, held, strict=True)]
    if not skip_mismatch:
        raise SavedFileError(
            file.path,
            place or "/",
            f"{len(held)} layers have weights in the file: {_listed(held)}; {len(names)} in the model {model.name!r}: "
            f"{_listed(names)}. Pass by_name=True to match layers by name.",
        )
    left_out += [f"{place or '/'}: no weights of the layer {name!r}." for name in names if name not in held]
    return [(layer, groups[layer.name]) for layer in layers if layer.name in held]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")


def _find(within: list[Any], layer: Any, file: Hdf5File, place: str, origin: Origin) -> Found:
    stored = arrays_of(file, place)
    shapes = [array.shape for array in stored.values()]
    parts = match(within, shapes, origin)
    if parts is None:
        ours = [variable.shape for owner in within for variable in (*trained(owner), *not_trained(owner))]
        hint = ""
        if origin.version == "1":
            hint = " The file does not name its version of Keras, and was treated as one of Keras 1."
        raise SavedFileError(
            file.path,
            place,
            f"the arrays do not fit {layer.name!r} ({type(layer).__name__}): expected the shapes {ours}, in Keras's "
            f"order or an older form; the file holds {shapes}.{hint}",
        )
    return Found(parts, list(stored), list(stored.values()), file.path, place)


def _find_some(layer: Any, file: Hdf5File, place: str) -> Found:
    """Return those weights of a layer whose shapes are those of the file, as Keras does. No older form is tried."""
    stored = arrays_of(file, place)
    own = weights_in_order(layer)
    pairs = zip(own, stored.values(), strict=True) if len(own) == len(stored) else ()
    some = [(variable, array) for variable, array in pairs if variable.shape == array.shape]
    return Found([], list(stored), list(stored.values()), file.path, place, some)


def assign(found: list[Found]) -> None:
    """Read weights and assign them to their layers: all of them, or none if one cannot be read."""
    variables = [v for one in found for part in one.parts for v in part.owner._own_variables()]
    variables += [variable for one in found for variable, _ in one.some]
    # On the host: no framework is needed to read a file.
    with unchanged_on_error([SavedGroup("weights", variables)]), registry.use_backend("numpy"):
        for one in found:
            for variable, array in one.some:
                variable.assign(np.asarray(array))
            for part in one.parts:
                first = [np.asarray(a) for a in one.arrays[part.place]]
                with reading(one.path, one.place):
                    values = part.form.read(first)
                rest = not_trained(part.owner)
                others = slice(part.others, part.others + len(rest))
                values += [np.asarray(a) for a in one.arrays[others]]
                variables = [*trained(part.owner), *rest]
                names = one.names[part.place] + one.names[others]
                if len(one.parts) == 1:  # the names of several owners' weights are no places
                    variables = _named(variables, names)
                for variable, value in zip(variables, values, strict=True):
                    variable.assign(value)


def _named(variables: list[Variable], names: list[str]) -> list[Variable]:
    """Return variables in the order of their names in a file, if it has all of them: Keras writes frozen ones last."""
    by_name = {variable.name: variable for variable in variables}
    ends = [name.rpartition("/")[2].partition(":")[0] for name in names]
    return [by_name[end] for end in ends] if len(by_name) == len(ends) and set(by_name) == set(ends) else variables
