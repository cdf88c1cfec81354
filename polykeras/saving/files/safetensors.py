"""Hugging Face's safetensors format: names, dtypes, shapes and bytes, nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from polykeras import dtypes
from polykeras.saving.errors import SavedFileError, reading
from polykeras.saving.files.base import FlatFile, FlatWriter, StoredArray
from polykeras.saving.limits import MAX_CONFIG_BYTES, read_json

_NEEDED = "Files that end in .safetensors need the package of that name: pip install 'polykeras[files]'."
_DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "U32": "uint32",
    "I32": "int32",
    "U64": "uint64",
    "I64": "int64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
}


def _library() -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        raise ImportError(_NEEDED) from None
    return safetensors


class SafetensorsFile(FlatFile):
    """A `.safetensors` file, open for reading."""

    def __init__(self, path: str) -> None:
        super().__init__(path, os.path.getsize(path))
        library = _library()
        _check_header(path)
        with reading(path):
            try:
                self._file = library.safe_open(path, framework="numpy")
            except library.SafetensorError as error:
                raise SavedFileError(path, "", str(error)) from error

    def flat_names(self) -> list[str]:
        return list(self._file.keys())

    def stored(self, name: str) -> StoredArray:
        with reading(self.path, name):
            found = self._file.get_slice(name)
            shape, said = tuple(found.get_shape()), found.get_dtype()
            if said not in _DTYPES:
                raise SavedFileError(self.path, name, f"holds {said}.")
            dtype = dtypes.numpy_dtype(_DTYPES[said])
            size = dtype.itemsize
            for n in shape:
                size *= n
        # The library itself checks the header against the length of the file.
        return StoredArray(self.path, name, shape, _DTYPES[said], size, lambda: self._read(name, dtype), self.allowance)

    def _read(self, name: str, dtype: Any) -> Any:
        array = self._file.get_tensor(name)
        return array if array.dtype == dtype else array.view(dtype)


def _check_header(path: str) -> None:
    """Refuse a header that is too large, before the library reads it."""
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > min(MAX_CONFIG_BYTES, os.path.getsize(path)):
            raise SavedFileError(path, "", f"{size} bytes of header; at most {MAX_CONFIG_BYTES} are read.")
        header = read_json(file.read(size), path, "header")
    if not isinstance(header, dict):
        raise SavedFileError(path, "header", "is no dict.")


def write_safetensors(path: Path, arrays: FlatWriter) -> None:
    """Write arrays to a `.safetensors` file.

    The library itself is not used: it would write a separate file and move it over this one, with other permissions and
    without the lock of an active writer.

    Raises:
        ValueError: if the format has no such dtype.
    """
    _library()
    names = {dtype: name for name, dtype in _DTYPES.items()}
    header: dict[str, Any] = {"__metadata__": {"format": "np"}}
    # Arrays with large elements come first, so that each begins at a multiple of its element size.
    ordered = sorted(arrays.items(), key=lambda item: (-item[1].dtype.itemsize, item[0]))
    place = 0
    for name, array in ordered:
        dtype = dtypes.standardize_dtype(array.dtype)
        if dtype not in names:
            raise ValueError(f"{name} is {dtype}, which safetensors does not support. Use '.weights.h5' or '.npz'.")
        offsets = [place, place + array.nbytes]
        header[name] = {"dtype": names[dtype], "shape": list(array.shape), "data_offsets": offsets}
        place += array.nbytes
    text = json.dumps(header).encode("utf-8")
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, array in ordered:
            little = array if array.dtype.kind == "V" else array.astype(array.dtype.newbyteorder("<"), copy=False)
            file.write(little.reshape(-1).view(np.uint8).data)
