"""Safe zip archives: no member lies outside, is a link, appears twice, or is far larger than its stored data."""

from __future__ import annotations

import os
import struct
import zipfile

from polykeras.saving.errors import SavedFileError, reading
from polykeras.saving.limits import check_expansion

_MOST_MEMBERS = 100_000
_MOST_DIRECTORY_BYTES = 16 * 2**20
_LINK = 0o120000
# NumPy and Keras write these two. For others, the unpacked size of a few bytes is not limited.
_KINDS = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}
_END, _END_64_PLACE, _END_64 = b"PK\x05\x06", b"PK\x06\x07", b"PK\x06\x06"


def open_zip(path: str) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    """Return an archive, open for reading, and its members by name.

    Raises:
        SavedFileError: if the file is not an archive, or is malicious.
    """
    with reading(path):
        size = os.path.getsize(path)
        listed = _directory_size(path, size)
        if listed > _MOST_DIRECTORY_BYTES:
            raise SavedFileError(
                path, "", f"{listed} bytes list its members; at most {_MOST_DIRECTORY_BYTES} are read."
            )
        archive = zipfile.ZipFile(path)
        try:
            return archive, _members(archive, path, size)
        except BaseException:
            archive.close()
            raise


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: str, most: int) -> bytes:
    """Return the contents of a member.

    Raises:
        SavedFileError: if the data are larger than `most` bytes, or their size differs from the stated one.
    """
    if member.file_size > most:
        raise SavedFileError(path, member.filename, f"{member.file_size} bytes; at most {most} are read.")
    with reading(path, member.filename), archive.open(member) as file:
        data = file.read(member.file_size + 1)
        if len(data) != member.file_size:
            raise ValueError(f"does not hold the {member.file_size} bytes that it states.")
        return data


def _directory_size(path: str, size: int) -> int:
    """Return the stated length of the list of members, which `zipfile` reads as a whole."""
    with open(path, "rb") as file:
        file.seek(-min(size, 2**16 + 22), os.SEEK_END)
        tail = file.read()
        at = len(tail) - 22
        if tail[at : at + 4] != _END or tail[-2:] != b"\0\0":
            at = tail.rfind(_END)
        if at < 0 or at + 22 > len(tail):
            raise SavedFileError(path, "", f"is not a {os.path.splitext(path)[1]} file: it is not a zip archive.")
        sizes = [struct.unpack_from("<L", tail, at + 12)[0]]
        if at >= 20 and tail[at - 20 : at - 16] == _END_64_PLACE:
            sizes = []
            place = struct.unpack_from("<Q", tail, at - 12)[0]
            for start in (place, size - len(tail) + at - 76):  # at the stated position, and where `zipfile` looks
                if 0 <= start <= size - 56:
                    file.seek(start)
                    record = file.read(56)
                    if record[:4] == _END_64:
                        sizes.append(struct.unpack_from("<Q", record, 40)[0])
        return max(sizes, default=0)


def _members(archive: zipfile.ZipFile, path: str, size: int) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    infos = archive.infolist()
    if len(infos) > _MOST_MEMBERS:
        raise SavedFileError(path, "", f"{len(infos)} members; at most {_MOST_MEMBERS} are read.")
    stored = 0
    for info in infos:
        _check_name(info, path)
        if info.filename in found:
            raise SavedFileError(path, info.filename, "comes twice.")
        if (info.external_attr >> 16) & 0o170000 == _LINK:
            raise SavedFileError(path, info.filename, "is a link; links are not followed.")
        if info.flag_bits & 1:
            raise SavedFileError(path, info.filename, "is encrypted.")
        if info.compress_type not in _KINDS:
            raise SavedFileError(path, info.filename, f"uses an unsupported compression ({info.compress_type}).")
        check_expansion(path, info.filename, info.file_size, info.compress_size)
        stored += info.compress_size
        found[info.filename] = info
    if stored > size:  # members may share bytes: each is small, but all together are not
        raise SavedFileError(path, "", f"its members take {stored} bytes, and the file has {size}.")
    return found


def _check_name(info: zipfile.ZipInfo, path: str) -> None:
    name = info.filename
    parts = name.replace("\\", "/").removesuffix("/").split("/")
    # `orig_filename` is the name before `zipfile` truncates it at a zero byte.
    if any(part in ("", ".", "..") for part in parts) or "\0" in info.orig_filename or len(name) > 4096:
        raise SavedFileError(path, repr(info.orig_filename), "lies outside of the archive.")
