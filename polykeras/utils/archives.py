"""Unpacking of archives, completely or not at all, and never outside of their folder."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath


def extract_archive(file_path: str, path: str, archive_format: str | Iterable[str] | None = "auto") -> bool:
    """Unpack a tar or zip archive into a folder.

    The archive is unpacked next to the folder and then moved there, so that an error leaves nothing behind.

    Args:
        file_path: the archive.
        path: the folder, created if needed; files of the same names are replaced.
        archive_format: `"tar"` (also compressed), `"zip"`, a list of these to try, `"auto"` for both, or None for none.

    Returns:
        Whether the file was an archive of that format.

    Raises:
        ValueError: if the format is unknown, or an item of the archive lies outside of the folder, or is not a plain
            file, folder or link.
    """
    formats = ("tar", "zip") if archive_format == "auto" else archive_format or ()
    for name in (formats,) if isinstance(formats, str) else formats:
        if name not in ("tar", "zip"):
            raise ValueError(f'archive_format must be "auto", "tar", "zip" or None; received {name!r}.')
        is_one, unpack = (tarfile.is_tarfile, _untar) if name == "tar" else (zipfile.is_zipfile, _unzip)
        if not is_one(file_path):
            continue
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as folder:
            unpacked = os.path.join(folder, "unpacked")
            unpack(file_path, unpacked)
            if target.exists():
                shutil.copytree(unpacked, target, symlinks=True, dirs_exist_ok=True)
            else:
                os.replace(unpacked, target)
        return True
    return False


def _untar(file_path: str, folder: str) -> None:
    if not hasattr(tarfile, "data_filter"):
        raise RuntimeError("Unpacking tar archives safely needs Python 3.11.4 or newer.")
    with tarfile.open(file_path) as archive:
        for member in archive.getmembers():
            _check_name(member.name, file_path)
        try:
            archive.extractall(folder, filter="data")
        except tarfile.FilterError as error:
            raise ValueError(f"The archive {file_path} is not safe to unpack: {error}.") from error
    os.makedirs(folder, exist_ok=True)  # for an empty archive


def _unzip(file_path: str, folder: str) -> None:
    with zipfile.ZipFile(file_path) as archive:
        for name in archive.namelist():
            _check_name(name, file_path)
        archive.extractall(folder)
    os.makedirs(folder, exist_ok=True)


def _check_name(name: str, file_path: str) -> None:
    """Refuse names of places outside of the folder, on any system."""
    outside = any(path.is_absolute() or path.anchor or ".." in path.parts for path in _readings(name))
    if outside:
        raise ValueError(f"The archive {file_path} is not safe to unpack: {name!r} would lie outside of its folder.")


def _readings(name: str) -> tuple[PurePosixPath, PureWindowsPath]:
    return PurePosixPath(name), PureWindowsPath(name)
