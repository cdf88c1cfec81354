"""Files that are written completely or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_ATTEMPTS = 100
_SUFFIX = ".part"


@contextmanager
def atomic_write(path: str | os.PathLike[str], overwrite: bool = True) -> Iterator[Path]:
    """Yield the path of an empty file beside `path`, which takes its place at the end of the block.

    A crash or an error at any moment leaves either the old file or the new one. The new file is flushed to the disk
    before it is renamed, which is a single step. A symbolic link keeps pointing to its target, which is replaced. An
    existing file's permissions are kept.

    Args:
        path: the file to write. Its folder must exist.
        overwrite: whether an existing file is replaced.

    Raises:
        FileExistsError: if the file exists and must not be replaced.
        FileNotFoundError: if there is no such folder.
        OSError: if the system refuses; an existing file is then unchanged.
    """
    target = Path(os.path.realpath(path))
    if not overwrite and os.path.lexists(target):
        raise _exists(path)
    if not target.parent.exists():
        folder = os.path.dirname(os.fspath(path)) or os.fspath(target.parent)
        raise FileNotFoundError(f"There is no folder {folder!r}: {os.fspath(path)!r} was not written. Make it first.")
    prefix = f".{_shortened(target.name)}-"
    _remove_abandoned(target.parent, prefix)
    mode = _mode_of(target)
    try:
        part, handle = _make_part(target.parent, prefix, private=mode is not None)
    except OSError as error:
        error.add_note(f"Nothing was written: a temporary file in {target.parent} is needed.")
        raise
    try:
        yield part
        if mode is not None:
            os.chmod(part, mode)
        _bring_to_disk(part, os.O_RDWR)
        _put_in_place(part, target, path, overwrite)
    except BaseException as error:
        with suppress(OSError):
            part.unlink()
        error.add_note(f"{os.fspath(path)} is unchanged.")
        raise
    finally:
        if handle is not None:
            os.close(handle)
    with suppress(OSError):  # folders of some file systems cannot be synchronized
        _bring_to_disk(target.parent, os.O_RDONLY)


def _exists(path: str | os.PathLike[str]) -> FileExistsError:
    return FileExistsError(f"{os.fspath(path)} exists; pass overwrite=True to replace it.")


def _shortened(name: str) -> str:
    """Return a name that leaves room for a suffix: file systems allow 255 bytes."""
    return os.fsdecode(os.fsencode(name)[:200])


def _make_part(folder: Path, prefix: str, private: bool) -> tuple[Path, int | None]:
    """Make an empty file, and return it with a lock that tells other writers that it is not abandoned.

    A new file gets the usual permissions. A file that will replace another is private until it gets the permissions of
    that file.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    for _ in range(_ATTEMPTS):
        part = folder / f"{prefix}{os.urandom(6).hex()}{_SUFFIX}"
        try:
            handle = os.open(part, flags, 0o600 if private else 0o666)
        except FileExistsError:
            continue
        if fcntl is None:
            os.close(handle)  # Windows does not rename open files
            return part, None
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        with suppress(OSError):
            if os.path.samestat(os.stat(part), os.fstat(handle)):
                return part, handle
        os.close(handle)  # another writer removed it before it was locked
    raise FileExistsError(f"No free name for a new file was found in {folder}.")


def _put_in_place(part: Path, target: Path, path: str | os.PathLike[str], overwrite: bool) -> None:
    if overwrite:
        os.replace(part, target)
        return
    try:
        os.link(part, target)  # fails if another writer was faster
    except FileExistsError:
        raise _exists(path) from None
    except OSError:  # a file system without hard links
        try:
            handle = os.open(target, os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise _exists(path) from None
        placed = os.fstat(handle)
        os.close(handle)
        try:
            os.replace(part, target)
        except BaseException:
            with suppress(OSError):
                if os.path.samestat(os.stat(target), placed):
                    target.unlink()
            raise
        return
    part.unlink()


def _bring_to_disk(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _mode_of(target: Path) -> int | None:
    """Return the permissions of a file, or None if it does not exist."""
    try:
        return target.stat().st_mode & 0o7777
    except OSError:
        return None


def _remove_abandoned(folder: Path, prefix: str) -> None:
    """Remove the partial files of writers that were killed: those that are not locked any more."""
    if fcntl is None:
        return
    with suppress(OSError):
        parts = [p for p in folder.iterdir() if p.name.startswith(prefix) and p.name.endswith(_SUFFIX)]
        for part in parts:
            with suppress(OSError):
                handle = os.open(part, os.O_RDWR | os.O_NOFOLLOW)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    part.unlink()
                finally:
                    os.close(handle)
