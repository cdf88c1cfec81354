"""Names of Keras's private modules for files, `saving_lib` and `serialization_lib`."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from polykeras import ops
from polykeras.saving.files.atomic import atomic_write
from polykeras.saving.files.hdf5 import Hdf5File, Hdf5Writer
from polykeras.saving.lambdas import code_allowed
from polykeras.saving.state import group_of

__all__ = ["H5IOStore", "SafeModeScope"]


def SafeModeScope(safe_mode: bool | None = True) -> AbstractContextManager[None]:
    """Return a context in which configs may hold code, or may not.

    Args:
        safe_mode: whether code is refused; None leaves it to whoever reads a config.
    """
    return code_allowed(None if safe_mode is None else not safe_mode)


class H5IOStore:
    """An HDF5 file of named arrays in groups, laid out as in Keras's files of weights.

    Args:
        path_or_io: a path, or a file in memory.
        mode: `"r"` to read, `"w"` to write; arrays are written when the store is closed.

    Raises:
        ValueError: if the mode is another one.
    """

    def __init__(self, path_or_io: str | os.PathLike[str] | io.BytesIO, *, mode: str = "r") -> None:
        if mode not in ("r", "w"):
            raise ValueError(f"H5IOStore: `mode` must be 'r' or 'w'; received {mode!r}.")
        self.mode = mode
        self._made: dict[str, dict[str, Any]] = {}
        self._place = path_or_io if isinstance(path_or_io, io.BytesIO) else os.fspath(path_or_io)
        name = "a file in memory" if isinstance(self._place, io.BytesIO) else self._place
        self._file = Hdf5File(self._place, name) if mode == "r" else None

    def make(self, path: str) -> dict[str, Any]:
        """Return the arrays to write into a group, by name; it is empty at first.

        Args:
            path: the path of the group.

        Raises:
            ValueError: if the store is one to read.
        """
        if self._file is not None:
            raise ValueError("H5IOStore: a store to read takes no arrays. Open it with `mode='w'`.")
        return self._made.setdefault(group_of(path), {})

    def get(self, path: str) -> Mapping[str, Any]:
        """Return the arrays in a group by name, empty if there is no such group.

        Args:
            path: the path of the group.

        Raises:
            ValueError: if the store is one to write.
        """
        if self._file is None:
            raise ValueError("H5IOStore: a store to write cannot be read. Open it with `mode='r'`.")
        return self._file.group(group_of(path))

    def close(self) -> None:
        """Write what was given to a store to write, and close the file."""
        if self._file is not None:
            self._file.close()
        elif isinstance(self._place, str):
            with atomic_write(self._place) as part:
                self._write(part)
        else:
            self._write(self._place)

    def _write(self, place: Path | io.BytesIO) -> None:
        with Hdf5Writer(place) as writer:
            for group, arrays in self._made.items():
                writer.write(group, {name: ops.convert_to_numpy(x) for name, x in arrays.items()}, {})
