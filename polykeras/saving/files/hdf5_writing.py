"""Writing of HDF5 files. The library would crash the process if a write fails, for instance on a full disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any


class _Disk:
    """A file that never reports an error to the library.

    Attributes:
        error: the first error; nothing is written after it.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self.error: OSError | None = None

    def _try(self, name: str, otherwise: Any, *args: Any) -> Any:
        if self.error is None:
            try:
                return getattr(self._file, name)(*args)
            except OSError as error:
                self.error = error
        return otherwise

    def write(self, data: Any) -> int:
        rest = memoryview(data).cast("B")
        size = len(rest)
        while len(rest):  # the system may write less than requested
            rest = rest[self._try("write", len(rest), rest) :]
        return size

    def read(self, size: int = -1) -> bytes:  # h5py recognizes files by this method
        return self._try("read", b"", size)

    def readinto(self, buffer: Any) -> int:
        return self._try("readinto", len(buffer), buffer)

    def truncate(self, size: int | None = None) -> int:
        return self._try("truncate", size or 0, size)

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        return self._try("seek", place, place, whence)

    def tell(self) -> int:
        return self._try("tell", 0)

    def flush(self) -> None:
        self._try("flush", None)


@contextmanager
def writing(file: str | os.PathLike[str] | IO[bytes]) -> Iterator[Any]:
    """Yield a new h5py file, which is complete at the end of the block.

    Args:
        file: a path, or an open binary file.

    Raises:
        OSError: if if writing fails.
    """
    import h5py

    if isinstance(file, (str, os.PathLike)):
        with open(file, "w+b", buffering=0) as opened, writing(opened) as made:
            yield made
        return
    disk = _Disk(file)
    made = h5py.File(disk, "w")
    try:
        yield made
    except Exception:
        if disk.error is not None:
            raise disk.error from None
        raise
    finally:
        made.close()
        disk.flush()
    if disk.error is not None:
        raise disk.error
