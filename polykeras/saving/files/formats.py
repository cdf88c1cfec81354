"""File formats by suffix."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from polykeras.saving.errors import no_file
from polykeras.saving.files.atomic import atomic_write
from polykeras.saving.files.base import ArrayFile, FlatWriter, Writer
from polykeras.saving.files.hdf5 import Hdf5File, Hdf5Writer
from polykeras.saving.files.npz import NpzFile, write_npz
from polykeras.saving.files.safetensors import SafetensorsFile, write_safetensors
from polykeras.saving.files.sharded import ShardedFile, save_sharded

Save = Callable[[Writer], None]
"""A function that passes all groups of arrays to a writer."""

_Write = Callable[[Save, str, bool, float | None], None]


def _in_one_file(write: Callable[[Save, Path], None]) -> _Write:
    """Return a function that writes a file completely or not at all."""

    def write_whole(save: Save, path: str, overwrite: bool, max_shard_size: float | None) -> None:
        if max_shard_size is not None:
            raise ValueError(
                f"`max_shard_size` asks for several files; their index must end in '.weights.json', not {path!r}."
            )
        with atomic_write(path, overwrite) as part:
            write(save, part)

    return write_whole


def _collected(write: Callable[[Path, FlatWriter], None]) -> _Write:
    """Return a function that writes a file of a format that takes all arrays at once."""

    def write_all(save: Save, part: Path) -> None:
        arrays = FlatWriter()
        save(arrays)
        write(part, arrays)

    return _in_one_file(write_all)


def _write_hdf5(save: Save, part: Path) -> None:
    with Hdf5Writer(part) as writer:
        save(writer)


def _write_sharded(save: Save, path: str, overwrite: bool, max_shard_size: float | None) -> None:
    save_sharded(save, path, overwrite, max_shard_size or _SHARD_SIZE)


_SHARD_SIZE = 5.0
_FORMATS: dict[str, tuple[Callable[[str], ArrayFile], _Write]] = {
    ".h5": (lambda path: Hdf5File(path, path), _in_one_file(_write_hdf5)),
    ".npz": (NpzFile, _collected(write_npz)),
    ".safetensors": (SafetensorsFile, _collected(write_safetensors)),
    ".json": (ShardedFile, _write_sharded),
}


def open_arrays(path: str) -> ArrayFile:
    """Return a file of arrays, open for reading. The suffix says its format.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: if the library that the format needs is not installed.
        SavedFileError: if the file does not have the format of its suffix.
    """
    if not os.path.exists(path):
        raise no_file(path)
    read, _ = _FORMATS[Path(path).suffix]
    return read(path)


def write_arrays(save: Save, path: str, overwrite: bool, max_shard_size: float | None) -> None:
    """Write arrays to a file completely or not at all. The suffix says its format.

    Args:
        save: passes the arrays to a writer.
        path: the file.
        overwrite: whether an existing file is replaced.
        max_shard_size: the size in GB (2**30 bytes) of one of several files, for a `.weights.json`; 5 by default.

    Raises:
        FileExistsError: if the file exists and must not be replaced.
        ImportError: if the library that the format needs is not installed.
        ValueError: if a size is given for a single file, or an array is larger than one file may be.
    """
    _, write = _FORMATS[Path(path).suffix]
    write(save, path, overwrite, max_shard_size)
