"""HDF5 files. Only plain data are read: no links that leave the file, no external data, no plugins."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from typing import IO, Any

import numpy as np

from polykeras import dtypes
from polykeras.saving.errors import SavedFileError, reading
from polykeras.saving.files.base import ArrayFile, StoredArray, Writer
from polykeras.saving.files.hdf5_chunks import check_chunks
from polykeras.saving.files.hdf5_heaps import check_heaps
from polykeras.saving.files.hdf5_texts import read_texts
from polykeras.saving.files.hdf5_writing import writing

try:
    import h5py as _h5py
except ImportError:
    _h5py = None

h5py: Any = _h5py
_NEEDED = "Files of HDF5 (.keras, .weights.h5, .h5) need h5py: pip install 'polykeras[files]' (or h5py)."
_KINDS = "biufcV"
_MOST_NAMES = 100_000
_MOST_ATTRIBUTE_BYTES = 64 * 2**20
_WITH_TEXTS = ("/", "model_weights", "optimizer_weights")  # the groups in which Keras writes texts
SEPARATOR = "/"


def require_h5py() -> None:
    """Raise `ImportError`, with advice, if h5py is not installed."""
    if h5py is None:
        raise ImportError(_NEEDED)


class Hdf5File(ArrayFile):
    """An HDF5 file, open for reading.

    Args:
        file: a path, or an open binary file.
        path: the file, for messages.
        owned: whether an open file is closed with this one, or if it turns out not to be HDF5.
    """

    def __init__(self, file: str | os.PathLike[str] | IO[bytes], path: str, owned: bool = False) -> None:
        with ExitStack() as opened:
            if owned and not isinstance(file, (str, os.PathLike)):
                opened.enter_context(file)
            require_h5py()
            super().__init__(path, _size_of(file))
            self._named = file if isinstance(file, (str, os.PathLike)) else None
            self._texts: dict[str, Any] | None = None
            with reading(path):
                check_heaps(file, path)
                self._file = h5py.File(file, "r", locking=False)
            self._opened = opened.pop_all()

    def close(self) -> None:
        with self._opened:
            self._file.close()

    def find(self, name: str) -> Any:
        """Return the h5py group or data set at a path, or None.

        Raises:
            SavedFileError: if the path leads through a link, or the data are not plain.
        """
        current = self._file
        with reading(self.path, name):
            for part in filter(None, name.split(SEPARATOR)):
                current = self._child(current, part, name) if isinstance(current, h5py.Group) else None
                if current is None:
                    return None
        return current

    def _child(self, group: Any, part: str, place: str) -> Any:
        """Return the object that a group itself holds under a name, or None.

        The kind of a link is checked first: even asking h5py whether a name is in a group follows links, and opens the
        files that they point to.
        """
        key = part.encode("utf-8", "surrogateescape")
        links = group.id.links
        if not links.exists(key):
            return None
        if links.get_info(key).type != h5py.h5l.TYPE_HARD:
            raise SavedFileError(self.path, place, f"{part!r} is a link; links are not followed.")
        return group[part]

    def group(self, name: str) -> Mapping[str, StoredArray]:
        found = self.find(name)
        if found is None:
            return {}
        if not isinstance(found, h5py.Group):
            raise SavedFileError(self.path, name, "is not a group.")
        arrays: dict[str, StoredArray] = {}
        for key in self.keys(found, name):
            place = f"{name}/{key}"
            with reading(self.path, place):
                arrays[key] = self._stored(self._child(found, key, place), place)
        return arrays

    def keys(self, group: Any, place: str) -> list[str]:
        """Return the names in a group, if their number is reasonable."""
        with reading(self.path, place):
            if len(group) > _MOST_NAMES:
                raise SavedFileError(self.path, place, f"{len(group)} names in one group.")
            return list(group)

    def stored(self, name: str) -> StoredArray:
        """Return a data set. It is read when it is needed.

        Raises:
            SavedFileError: if it is missing, or is not plain data in this file.
        """
        return self._stored(self.find(name), name)

    def _stored(self, found: Any, name: str) -> StoredArray:
        if not isinstance(found, h5py.Dataset):
            raise SavedFileError(self.path, name, "is not an array." if found is not None else "is missing.")
        with reading(self.path, name):
            self._check_plain(found, name)
            dtype = self._dtype_of(found, name)
            stored = found.id.get_storage_size()
            shape = tuple(int(n) for n in found.shape)
            return StoredArray(
                self.path, name, shape, dtype, stored, lambda: self._read(found, dtype, name), self.allowance
            )

    def _check_plain(self, dataset: Any, name: str) -> None:
        if dataset.is_virtual or dataset.external:
            raise SavedFileError(self.path, name, "keeps its data in other files, which are not opened.")
        dtype = dataset.dtype
        compound = dtype.fields is not None or dtype.subdtype is not None
        if dataset.shape is None or dtype.kind not in _KINDS or dtype.hasobject or compound:
            raise SavedFileError(self.path, name, f"holds {dtype}, no numbers.")

    def _dtype_of(self, dataset: Any, name: str) -> str:
        raw = dataset.dtype
        if raw.kind == "V" and not dataset.id.get_type().get_class() == h5py.h5t.OPAQUE:
            raise SavedFileError(self.path, name, f"holds {raw}, no numbers.")
        if raw.kind != "V":
            return dtypes.standardize_dtype(raw.name)
        # A dtype that HDF5 does not know is written as bytes, with an attribute that names it, as in Keras. Only one
        # such dtype exists, so the text of the attribute, which lies in a heap, need not be read.
        if raw.itemsize != 2 or not h5py.h5a.exists(dataset.id, b"dtype"):
            raise SavedFileError(self.path, name, f"holds {raw}, and does not say what kind of data that is.")
        return "bfloat16"

    def _read(self, dataset: Any, dtype: str, name: str) -> np.ndarray:
        check_chunks(dataset, self.allowance, self.path, name)
        # Zeros instead of uninitialized memory: a file may leave out parts, and say that they are not filled.
        array = np.zeros(dataset.shape, dataset.dtype)
        if dataset.size:
            dataset.read_direct(array)
        wanted = dtypes.numpy_dtype(dtype)
        return array.view(wanted) if array.dtype.kind == "V" else array.astype(wanted, copy=False)  # big-endian too

    def attribute(self, owner: Any, name: str, place: str) -> Any:
        """Return an attribute: a string, a list of strings, a NumPy value, or None if there is none.

        Raises:
            SavedFileError: if it is too large.
        """
        with reading(self.path, f"{place} attribute {name!r}"):
            if name not in owner.attrs:
                return None
            kind = owner.attrs.get_id(name)
            if kind.get_storage_size() > _MOST_ATTRIBUTE_BYTES or np.prod(kind.shape, dtype=object) > _MOST_NAMES:
                raise SavedFileError(self.path, place, f"the attribute {name!r} is too large.")
            if kind.dtype.hasobject:
                return self._variable_text(owner, name, place)
            value = owner.attrs[name]
            if isinstance(value, np.ndarray):
                return [part.decode("utf-8") if isinstance(part, bytes) else part for part in value.tolist()]
            return value.decode("utf-8") if isinstance(value, bytes) else value

    def _variable_text(self, owner: Any, name: str, place: str) -> Any:
        """Return a text of variable length. In groups where Keras writes such texts, all are read at once."""
        if self._named is not None and self._texts is None:
            self._texts = read_texts(self._named, self._file.id.get_vfd_handle(), _WITH_TEXTS)
        place_and_name = f"{owner.name if owner.name == '/' else owner.name.strip('/')} {name}"
        if self._texts is None or place_and_name not in self._texts:
            raise SavedFileError(self.path, place, f"the attribute {name!r} must be a text.")
        return self._texts[place_and_name]

    def text(self, owner: Any, name: str, place: str) -> str:
        """Return an attribute that must be a string."""
        value = self.attribute(owner, name, place)
        if not isinstance(value, str):
            raise SavedFileError(self.path, place, f"the attribute {name!r} is no text.")
        return value

    @property
    def root(self) -> Any:
        """The h5py file."""
        return self._file

    def names(self) -> list[str]:
        found: dict[str, None] = {}
        visited = 0

        def visit(group: Any, name: str, depth: int) -> None:
            nonlocal visited
            for key in self.keys(group, name):
                visited += 1  # a group may be in itself, or twice in each of many
                if depth > 100 or visited > _MOST_NAMES:
                    raise SavedFileError(self.path, name, "groups without end.")
                part = self._child(group, key, f"{name}/{key}")
                if isinstance(part, h5py.Group):
                    visit(part, f"{name}/{key}".lstrip("/"), depth + 1)
                else:
                    found[name] = None

        with reading(self.path):
            visit(self._file, "", 0)
        return list(found)


def _size_of(file: str | os.PathLike[str] | IO[bytes]) -> int:
    if isinstance(file, (str, os.PathLike)):
        return os.path.getsize(file)
    place = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(place)
    return size


class Hdf5Writer(Writer):
    """Writes groups of arrays into an HDF5 file; a context manager.

    Args:
        file: a path, or an open binary file.
    """

    def __init__(self, file: str | os.PathLike[str] | IO[bytes]) -> None:
        require_h5py()
        self._writing = writing(file)

    def __enter__(self) -> Hdf5Writer:
        self._file = self._writing.__enter__()
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._writing.__exit__(*exc_info)

    def write(self, group: str, arrays: Mapping[str, np.ndarray], attributes: Mapping[str, str]) -> None:
        """Add a group."""
        made = self._file.require_group(group)
        for name, text in attributes.items():
            made.attrs[name] = text
        for name, array in arrays.items():
            dtype = dtypes.standardize_dtype(array.dtype)
            if array.dtype.kind == "V":  # bfloat16 and its like: their bytes, and a word that says so, as in Keras
                data = made.create_dataset(name, data=np.ascontiguousarray(array).view(f"V{array.dtype.itemsize}"))
                data.attrs["dtype"] = dtype
            else:
                made.create_dataset(name, data=array)
