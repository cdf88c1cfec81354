"""The common base of all files of arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, Self

import numpy as np

from polykeras import dtypes
from polykeras.saving.errors import SavedFileError, reading
from polykeras.saving.limits import Allowance


class StoredArray:
    """An array in a file. It is read when NumPy asks for it.

    Attributes:
        shape: its shape, as the file states.
        dtype: its dtype by name, as the file states.
    """

    def __init__(
        self,
        path: str,
        place: str,
        shape: tuple[int, ...],
        dtype: str,
        stored: int,
        read: Callable[[], Any],
        allowance: Allowance | None = None,
    ) -> None:
        self._path, self._place, self._stored, self._read = path, place, stored, read
        self._allowance = allowance or Allowance(path, stored)
        if not all(type(n) is int and n >= 0 for n in shape):
            raise SavedFileError(path, place, f"has the shape {shape}.")
        self.shape = shape
        self.dtype = dtype

    def __repr__(self) -> str:
        return f"<array {self._place} of {self._path}: {self.dtype} {self.shape}>"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        size = dtypes.nbytes(self.shape, self.dtype)
        self._allowance.take(self._place, size, self._stored)
        with reading(self._path, self._place):
            array = np.asarray(self._read())
        if array.shape != self.shape or array.dtype != dtypes.numpy_dtype(self.dtype):
            raise SavedFileError(self._path, self._place, f"is announced as {self.dtype} {self.shape} and is not.")
        return array if dtype is None else array.astype(dtype)

    def __getitem__(self, index: Any) -> Any:
        return np.asarray(self)[index]

    def __len__(self) -> int:
        return len(np.asarray(self))

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)


class ArrayFile(ABC):
    """A file of groups of named arrays, open for reading; a context manager.

    Args:
        path: the file, for messages.
        stored: its size in bytes.

    Attributes:
        path: the file, for messages.
        allowance: the memory budget of its arrays.
    """

    def __init__(self, path: str, stored: int = 0) -> None:
        self.path = path
        self.allowance = Allowance(path, stored)

    @abstractmethod
    def group(self, name: str) -> Mapping[str, StoredArray]:
        """Return the arrays of a group by name; empty if there is no such group."""

    @abstractmethod
    def names(self) -> list[str]:
        """Return the names of all groups that hold arrays."""

    def close(self) -> None:  # noqa: B027 (there may be nothing to close)
        """Close the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class Writer(ABC):
    """An object that writes groups of arrays."""

    @abstractmethod
    def write(self, group: str, arrays: Mapping[str, np.ndarray], attributes: Mapping[str, str]) -> None:
        """Add a group."""


class FlatFile(ArrayFile):
    """A file of arrays without groups. The names are paths: `layers/dense/vars/0`."""

    @abstractmethod
    def flat_names(self) -> list[str]:
        """Return the names of all arrays."""

    @abstractmethod
    def stored(self, name: str) -> StoredArray:
        """Return an array."""

    @cached_property
    def _groups(self) -> dict[str, list[str]]:
        groups: dict[str, list[str]] = {}
        for full in self.flat_names():
            group, _, name = full.rpartition("/")
            groups.setdefault(group, []).append(name)
        return groups

    def names(self) -> list[str]:
        return list(self._groups)

    def group(self, name: str) -> Mapping[str, StoredArray]:
        return {key: self.stored(f"{name}/{key}") for key in self._groups.get(name, ())}


class FlatWriter(Writer):
    """Collects arrays under their paths.

    Attributes:
        arrays: the written arrays.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def write(self, group: str, arrays: Mapping[str, np.ndarray], attributes: Mapping[str, str]) -> None:
        """Add a group. Attributes are dropped, since the format has no place for them."""
        for name, array in arrays.items():
            self.arrays[f"{group}/{name}"] = np.ascontiguousarray(array).reshape(array.shape)

    def items(self) -> Iterator[tuple[str, np.ndarray]]:
        """Return names and arrays."""
        return iter(self.arrays.items())
