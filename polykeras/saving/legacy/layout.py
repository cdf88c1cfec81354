"""The layout of an HDF5 file of Keras 1 or 2, and its origin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from polykeras.saving.errors import SavedFileError, reading
from polykeras.saving.files.base import StoredArray
from polykeras.saving.files.hdf5 import Hdf5File

WEIGHTS, OPTIMIZER = "model_weights", "optimizer_weights"
TOP_LEVEL = "top_level_model_weights"
"""The group of a model's own weights, which belong to no layer."""

_MOST_CHUNKS = 10_000
_LONGEST_ATTRIBUTE = 64_000  # HDF5 keeps no more than 64 kB in one attribute


@dataclass(frozen=True)
class Origin:
    """The program that wrote a file.

    Attributes:
        version: the version of Keras; `"1"` if the file does not say, as the first versions did not.
        backend: the backend of Keras, or None.
    """

    version: str
    backend: str | None

    @property
    def major(self) -> int:
        """Return the first part of the version."""
        first = self.version.partition(".")[0]
        return int(first) if first.isdecimal() else 2

    @property
    def convolves(self) -> bool:
        """Whether kernels are stored for a mathematical convolution, which reverses them."""
        return self.backend == "theano"


@dataclass(frozen=True)
class Context:
    """A place in a file, for messages.

    Attributes:
        path: the file.
        origin: the program that wrote it.
        place: the place in the file.
    """

    path: str
    origin: Origin
    place: str

    def within(self, part: str) -> Context:
        """Return the context of a part."""
        return replace(self, place=f"{self.place}: {part}" if self.place else part)

    def refuse(self, reason: str) -> SavedFileError:
        """Return an error about this place."""
        return SavedFileError(self.path, self.place, reason)


def origin_of(file: Hdf5File) -> Origin:
    """Return the origin of a file."""
    version = backend = None
    for place in ("/", WEIGHTS):
        owner = file.root if place == "/" else file.find(place)
        if owner is not None:
            version = version or file.attribute(owner, "keras_version", place)
            backend = backend or file.attribute(owner, "backend", place)
    return Origin(str(version or "1"), str(backend) if backend else None)


def weights_place(file: Hdf5File) -> str:
    """Return the group of a file's weights, "" for its root.

    Raises:
        SavedFileError: if there are none.
    """
    place = WEIGHTS if file.find(WEIGHTS) is not None else ""
    owner = file.find(place) if place else file.root
    if names_of(file, owner, "layer_names", place or "/") is None:
        hint = "It was written by Keras 0, which is no longer supported." if "nb_layers" in owner.attrs else ""
        raise SavedFileError(
            file.path,
            place or "/",
            f"has no attribute `layer_names`, so it holds no weights of Keras 1 or 2. {hint}".strip(),
        )
    return place


def names_of(file: Hdf5File, owner: Any, attribute: str, place: str) -> list[str] | None:
    """Return the strings of an attribute, which may be split into `attribute0`, `attribute1`, ..., or None.

    Raises:
        SavedFileError: if it is not a list of strings.
    """
    with reading(file.path, f"{place} attribute {attribute!r}"):
        if attribute in owner.attrs and 0 in (owner.attrs.get_id(attribute).shape or ()):
            return []  # HDF5 does not know the size of an empty list
    found = file.attribute(owner, attribute, place)
    if found is None:
        found = []
        for number in range(_MOST_CHUNKS):
            part = file.attribute(owner, f"{attribute}{number}", place)
            if part is None:
                if number == 0:
                    return None
                break
            found += part if isinstance(part, list) else [part]
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise SavedFileError(file.path, place, f"the attribute {attribute!r} must be a list of names.")
    return found


def arrays_of(file: Hdf5File, place: str) -> dict[str, StoredArray]:
    """Return the arrays of a group, in the order of its attribute `weight_names`.

    Raises:
        SavedFileError: if the group or an array is missing, or appears twice.
    """
    owner = file.find(place)
    if owner is None:
        raise SavedFileError(file.path, place, "is missing.")
    names = names_of(file, owner, "weight_names", place) or []
    if len(set(names)) != len(names):
        raise SavedFileError(file.path, place, f"names an array twice: {names}.")
    return {name: file.stored(f"{place}/{name}") for name in names}


# ---- writing -------------------------------------------------------------------------------------------------------


def write_names(owner: Any, attribute: str, names: list[str]) -> None:
    """Write names as an attribute of an h5py group, split into several attributes if they are too long for one."""
    encoded = np.asarray([name.encode("utf-8") for name in names])
    if not names:
        encoded = np.asarray([], dtype="S1")
    chunks = 1
    while any(part.nbytes > _LONGEST_ATTRIBUTE for part in np.array_split(encoded, chunks)) and chunks < len(names):
        chunks += 1
    if chunks == 1:
        owner.attrs[attribute] = encoded
    else:
        for number, part in enumerate(np.array_split(encoded, chunks)):
            owner.attrs[f"{attribute}{number}"] = part


def write_arrays(owner: Any, arrays: list[tuple[str, np.ndarray]]) -> None:
    """Write arrays and their names to an h5py group, and rename arrays that would conflict with others."""
    taken: set[str] = set()
    groups: set[str] = set()
    names = []
    for name, array in arrays:
        free, number = name, 0
        while free in taken or free in groups or any(above in taken for above in _above(free)):
            number += 1
            free = f"{name}_{number}"
        taken.add(free)
        groups.update(_above(free))
        names.append(free)
        if array.dtype.kind == "V":  # bfloat16 and its like: their bytes, and a word that says so, as in Keras
            data = owner.create_dataset(free, data=np.ascontiguousarray(array).view(f"V{array.dtype.itemsize}"))
            data.attrs["dtype"] = array.dtype.name
        else:
            owner.create_dataset(free, data=array)
    write_names(owner, "weight_names", names)


def _above(name: str) -> list[str]:
    """Return the groups that contain a name."""
    parts = name.split("/")
    return ["/".join(parts[:i]) for i in range(1, len(parts))]
