"""Reads pickles of arrays, lists and texts without running anything that they name.

A pickle may name any function to be called. Those of data sets name only NumPy's array and dtype. Here, our own classes
replace these: they record their arguments, and make arrays of plain numbers or objects.
"""

from __future__ import annotations

import pickle
import zipfile
from typing import IO, Any

import numpy as np


class _DType:
    """Replaces `numpy.dtype` in a pickle."""

    def __init__(self, code: Any, *flags: Any) -> None:
        self.code = code.decode("ascii") if isinstance(code, bytes) else code
        self.order = "|"

    def __setstate__(self, state: Any) -> None:
        order = state[1]
        self.order = order.decode("ascii") if isinstance(order, bytes) else order

    def get(self) -> np.dtype[Any]:
        """Return the dtype, of plain numbers or of objects."""
        dtype = np.dtype(self.code)
        if dtype.kind not in "biufO" or self.order not in ("|", "<", ">", "="):
            raise pickle.UnpicklingError(f"Expected an array of numbers; the file has one of dtype {self.code!r}.")
        return dtype if dtype.kind == "O" or self.order == "|" else dtype.newbyteorder(self.order)


class _Array:
    """Replaces `numpy.ndarray` in a pickle; called like `_reconstruct`."""

    value: np.ndarray

    def __init__(self, *arguments: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, by_columns, content = state
        dtype, order = kind.get(), "F" if by_columns else "C"
        if dtype.kind == "O":
            flat = np.empty(len(content), object)
            for i, item in enumerate(content):
                flat[i] = _plain(item)
        else:
            flat = np.frombuffer(bytearray(content), dtype)
        self.value = flat.reshape(shape, order=order)


_STAND_INS: dict[tuple[str, str], type] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type:
        """Return the replacement for a name; only the names of arrays are known."""
        known = module.replace("._", "."), name  # NumPy 2 put an underscore before the module's name
        if known not in _STAND_INS:
            raise pickle.UnpicklingError(
                f"Refusing to load {module}.{name}: the file of a data set holds arrays, lists and texts only. It may "
                "be damaged, or malicious. Remove it."
            )
        return _STAND_INS[known]


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, _Array) else value


def load_pickle(file: IO[bytes], encoding: str = "ASCII") -> Any:
    """Read an array, or a dictionary with arrays among its values.

    Args:
        file: a file opened for reading bytes.
        encoding: the encoding of texts that Python 2 wrote; `"bytes"` leaves them unchanged.

    Raises:
        pickle.UnpicklingError: if the file names anything except arrays.
    """
    value = _Reader(file, encoding=encoding).load()
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return _plain(value)


def load_npz(path: str) -> dict[str, np.ndarray]:
    """Read all arrays of an `.npz` file, including arrays of Python objects such as lists.

    Args:
        path: the file.

    Raises:
        pickle.UnpicklingError: if an object array names anything except arrays.
    """
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".npy"):
                with archive.open(name) as file:
                    arrays[name.removesuffix(".npy")] = _load_npy(file)
    return arrays


def _load_npy(file: IO[bytes]) -> np.ndarray:
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version[0] == 1 else np.lib.format.read_array_header_2_0
    dtype = header(file)[2]
    if dtype.hasobject:
        return load_pickle(file)
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)
