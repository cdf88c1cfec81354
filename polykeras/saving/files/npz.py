"""NumPy's `.npz` format: an archive of arrays, never of pickled objects."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from polykeras import dtypes
from polykeras.saving.errors import SavedFileError, reading
from polykeras.saving.files.base import FlatFile, FlatWriter, StoredArray

_MARK = ":"  # separates the name of an array from a dtype that NumPy's format does not know


class NpzFile(FlatFile):
    """An `.npz` file, open for reading."""

    def __init__(self, path: str) -> None:
        from polykeras.saving.files.zips import open_zip  # imported only to read files: it loads several libraries

        super().__init__(path, os.path.getsize(path))
        self._zip, members = open_zip(path)
        self._members = {name.removesuffix(".npy").partition(_MARK)[0]: info for name, info in members.items()}
        if len(self._members) != len(members):
            raise SavedFileError(path, "", "two arrays have one name.")

    def close(self) -> None:
        self._zip.close()

    def flat_names(self) -> list[str]:
        return list(self._members)

    def stored(self, name: str) -> StoredArray:
        member = self._members[name]
        with reading(self.path, name), self._zip.open(member) as file:
            version = np.lib.format.read_magic(file)
            header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            if version not in header:
                raise SavedFileError(self.path, name, f"is written in NumPy's format {version}.")
            shape, _, dtype = header[version](file)
            if dtype.hasobject or dtype.kind not in "biufcV" or dtype.fields is not None:
                raise SavedFileError(self.path, name, f"holds {dtype}, no numbers.")
            said = member.filename.removesuffix(".npy").partition(_MARK)[2]
            standard = dtypes.standardize_dtype(said or dtype.name)
            if dtypes.numpy_dtype(standard).itemsize != dtype.itemsize:
                raise SavedFileError(self.path, name, f"has the dtype {dtype}, but its name says {standard}.")

        def read() -> np.ndarray:
            with self._zip.open(member) as file:
                array = np.lib.format.read_array(file, allow_pickle=False)
                if file.read(1):
                    raise SavedFileError(self.path, name, "holds more than an array.")
            wanted = dtypes.numpy_dtype(standard)
            return array.view(wanted) if dtype.kind == "V" else array.astype(wanted)  # converts the byte order

        return StoredArray(self.path, name, tuple(shape), standard, member.compress_size, read, self.allowance)


def write_npz(path: Path, arrays: FlatWriter) -> None:
    """Write arrays to an `.npz` file."""
    import zipfile  # imported only to write files: it loads several libraries

    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, array in arrays.items():
            mark = f"{_MARK}{dtypes.standardize_dtype(array.dtype)}" if array.dtype.kind == "V" else ""
            with archive.open(f"{name}{mark}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
