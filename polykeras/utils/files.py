"""Files from the web, kept in a folder."""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.parse
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from polykeras.utils.archives import extract_archive
from polykeras.utils.downloads import download, forget_part


def get_file(
    fname: str | os.PathLike[str] | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | Iterable[str] | None = "auto",
    cache_dir: str | os.PathLike[str] | None = None,
    force_download: bool = False,
) -> str:
    """Return the path of a file from a URL, which is downloaded if it does not exist.

    An interrupted download is resumed. Archives are unpacked completely or not at all; an archive that would write
    outside of its folder is refused. Pass a hash for files from sources that you do not control.

    Args:
        fname: its name in the folder; by default that in the URL. For an archive that is unpacked, the name of the
            folder, if it contains no dot.
        origin: the URL: `https:`, `http:`, `ftp:` or `file:`.
        untar: like `extract`, for tar archives; used by older code.
        md5_hash: like `file_hash`, with MD5; used by older code.
        file_hash: the expected hash of the file, in hexadecimal digits.
        cache_subdir: the folder within `cache_dir`, or an absolute path.
        hash_algorithm: `"sha256"`, `"md5"`, or `"auto"`, which chooses by length.
        extract: whether the file is an archive to unpack.
        archive_format: `"tar"`, `"zip"`, a list of them, `"auto"` for both, or None for none.
        cache_dir: the folder; by default that of the variable `KERAS_HOME`, or `~/.keras`. If it is not writable,
            `.keras` in the system's folder for temporary files.
        force_download: whether to download the file even if it exists.

    Returns:
        The path of the file, or of the folder of an unpacked archive.

    Raises:
        ValueError: if the origin or the name is missing, the name is a path, the hash differs, or the archive is
            unsafe.
        OSError: if the download failed.
    """
    if origin is None:
        raise ValueError("get_file: pass `origin`, the URL of the file.")
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    if hash_algorithm not in ("auto", "sha256", "md5"):
        raise ValueError(f'get_file: hash_algorithm must be "auto", "sha256" or "md5"; received {hash_algorithm!r}.')
    folder = _folder(cache_dir, cache_subdir)
    target, unpacked = _places(folder, fname, origin, extract or untar)
    if not force_download and target.exists() and _fits(target, file_hash, hash_algorithm):
        fresh = False
    else:
        _bring(origin, target, file_hash, hash_algorithm)
        fresh = True
    if unpacked is None:
        return str(target)
    formats = "tar" if untar else archive_format
    if (fresh or not unpacked.exists()) and not extract_archive(str(target), str(unpacked), formats):
        warnings.warn(f"get_file: {target} is not an archive ({formats!r}); nothing was unpacked.", stacklevel=2)
    return str(unpacked)


def _bring(origin: str, target: Path, file_hash: str | None, algorithm: str) -> None:
    if target.exists() and file_hash is not None and not _fits(target, file_hash, algorithm):
        print(f"{target} does not have the hash {file_hash}; it is downloaded again.")
    print(f"Downloading data from {origin}")
    download(origin, target)
    if not _fits(target, file_hash, algorithm):
        found = hash_file(target, _algorithm(algorithm, file_hash))
        target.unlink()
        forget_part(target)
        raise ValueError(
            f"get_file: the file at {origin} is incomplete, corrupted or a different file: its hash is {found}; "
            f"expected {file_hash}. It was removed."
        )


def hash_file(path: str | os.PathLike[str], algorithm: str = "sha256") -> str:
    """Return the hash of a file in hexadecimal digits.

    Args:
        path: the file.
        algorithm: `"sha256"` or `"md5"`.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def _algorithm(name: str, file_hash: str | None) -> str:
    if name != "auto":
        return name
    return "sha256" if file_hash is not None and len(file_hash) == 64 else "md5"


def _fits(path: Path, file_hash: str | None, algorithm: str) -> bool:
    return file_hash is None or hash_file(path, _algorithm(algorithm, file_hash)) == file_hash.lower()


def _folder(cache_dir: Any, cache_subdir: str) -> Path:
    home = cache_dir or os.environ.get("KERAS_HOME") or os.path.join("~", ".keras")
    base = Path(os.path.expanduser(home))
    try:
        base.mkdir(parents=True, exist_ok=True)
        writable = os.access(base, os.W_OK)
    except OSError:
        writable = False
    folder = (base if writable else Path(tempfile.gettempdir()) / ".keras") / cache_subdir
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _places(folder: Path, fname: Any, origin: str, unpack: bool) -> tuple[Path, Path | None]:
    """Return the path of the file, and the folder into which it is unpacked or None."""
    name = os.fspath(fname) if fname else os.path.basename(urllib.parse.urlsplit(origin).path)
    if not name:
        raise ValueError(f"get_file: there is no file name in the URL {origin!r}. Pass `fname`.")
    if os.sep in name or name in (os.curdir, os.pardir):
        raise ValueError(
            f"get_file: `fname` must be a name without folders; received {name!r}. Choose the folder with `cache_dir` "
            "and `cache_subdir`."
        )
    if not unpack:
        return folder / name, None
    if fname and "." in name:
        return folder / name, folder / f"{name[: name.find('.')]}_extracted"
    return folder / f"{name}_archive", folder / name
