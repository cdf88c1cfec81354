"""Checks of the heaps in which HDF5 keeps texts. A broken heap would keep the library busy for ever."""

from __future__ import annotations

import io
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from polykeras.saving.errors import SavedFileError

# A collection: "GCOL", version 1, three bytes, its size (8); then objects: number (2), references (2), four bytes, size
# (8), the data up to a multiple of 8. Number 0 is free space, whose size counts these 16 bytes as well.
_MARK = b"GCOL\x01"
_HEADER, _LEAST = 16, 4096
_MOST_OBJECTS = 2**20  # in all heaps of a file


def check_heaps(file: str | os.PathLike[str] | IO[bytes], path: str) -> None:
    """Refuse a file with an inconsistent heap collection, or one with more objects than it has room for.

    Args:
        file: a path, or an open binary file.
        path: the file, for messages.

    Raises:
        SavedFileError: if there is such a collection.
    """
    with _bytes_of(file) as data:
        # Crafted heaps may contain heaps, and would be searched again and again.
        left = min(_MOST_OBJECTS, len(data) // _HEADER)
        at = data.find(_MARK)
        while at >= 0:
            size = _size(data, at)
            # Other sizes belong to numbers of an array by chance, or the library itself refuses them.
            if _LEAST <= size <= len(data) - at:
                left -= _objects(data, at, size, left, path)
            at = data.find(_MARK, at + 1)


def _size(data: Any, at: int) -> int:
    header = data[at + 8 : at + 16]
    return struct.unpack("<Q", header)[0] if len(header) == 8 else 0


def _objects(data: Any, at: int, size: int, most: int, path: str) -> int:
    """Return how many objects a heap has, and refuse an inconsistent one."""
    place, count = _HEADER, 0
    while place + _HEADER <= size:
        number, length = struct.unpack("<H6xQ", data[at + place : at + place + _HEADER])
        taken = _HEADER + -(-length // 8) * 8 if number else length
        count += 1
        if taken < _HEADER or taken > size - place or count > most:
            raise SavedFileError(path, f"byte {at}", "the heap is inconsistent.")
        place += taken
    return count


@contextmanager
def _bytes_of(file: str | os.PathLike[str] | IO[bytes]) -> Iterator[Any]:
    """Yield the bytes of a file, mapped into memory."""
    if isinstance(file, (str, os.PathLike)):
        with open(file, "rb") as opened, _bytes_of(opened) as data:
            yield data
        return
    try:
        handle = file.fileno()
    except (OSError, AttributeError, io.UnsupportedOperation):
        place = file.tell()
        file.seek(0)
        data = file.read()
        file.seek(place)
        yield data
        return
    if os.fstat(handle).st_size == 0:
        yield b""
        return
    with mmap.mmap(handle, 0, access=mmap.ACCESS_READ) as mapped:
        yield mapped
