"""Zip archives whose members lie outside, lie about themselves, or grow without end."""

from __future__ import annotations

import os
import struct
import tarfile
import zipfile

from saving.corpus import Lab, attack, valid_members, write_archive

OUTSIDE = "lies outside"


def _with_member(lab: Lab, name: str, data: bytes = b"x", mode: int = 0) -> None:
    with zipfile.ZipFile(lab.path, "w") as archive:
        for member, content in valid_members().items():
            archive.writestr(member, content)
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, data)


@attack(".keras", OUTSIDE, "GHSA-hqp4-2352-xf5r")
def a_member_outside(lab: Lab) -> None:
    _with_member(lab, "../canary")


@attack(".keras", OUTSIDE, "CVE-2026-12479")
def a_layer_named_outside(lab: Lab) -> None:
    _with_member(lab, "assets/layers/../../../../canary")


@attack(".keras", OUTSIDE)
def a_member_at_the_root(lab: Lab) -> None:
    _with_member(lab, str(lab.canary))


@attack(".keras", OUTSIDE)
def an_asset_at_the_root(lab: Lab) -> None:
    _with_member(lab, f"assets/{lab.canary}")


@attack(".keras", OUTSIDE)
def a_member_outside_with_backslashes(lab: Lab) -> None:
    _with_member(lab, "assets\\..\\..\\canary")


@attack(".keras", OUTSIDE)
def a_member_named_dot(lab: Lab) -> None:
    _with_member(lab, "./config.json")


@attack(".keras", "is a link", "Keras 3.12.3, pull request 23015")
def a_member_that_is_a_link(lab: Lab) -> None:
    _with_member(lab, "assets/link", os.fsencode(lab.secret), 0o120777)


@attack(".keras", "comes twice")
def a_member_that_comes_twice(lab: Lab) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _with_member(lab, "config.json", b"{}")


@attack(".keras", OUTSIDE)
def a_name_with_a_zero(lab: Lab) -> None:
    _with_member(lab, "config.jsonX/../../canary")
    lab.path.write_bytes(lab.path.read_bytes().replace(b"config.jsonX", b"config.json\0"))


@attack(".keras", "are made of", "Keras 3.12.3, pull request 23010")
def weights_that_unpack_without_end(lab: Lab) -> None:
    write_archive(lab, {"model.weights.h5": bytes(100 * 2**20)}, zipfile.ZIP_DEFLATED)


@attack(".keras", "are made of", "Keras 3.15.1, pull request 23101")
def an_asset_that_unpacks_without_end(lab: Lab) -> None:
    write_archive(lab, {"assets/words.txt": bytes(100 * 2**20)}, zipfile.ZIP_DEFLATED)


@attack(".keras", "unsupported compression")
def a_member_packed_by_bzip2(lab: Lab) -> None:
    write_archive(lab, {"model.weights.h5": bytes(20 * 2**20)}, zipfile.ZIP_BZIP2)


@attack(".keras", "unsupported compression")
def a_member_packed_by_lzma(lab: Lab) -> None:
    write_archive(lab, {"model.weights.h5": bytes(20 * 2**20)}, zipfile.ZIP_LZMA)


def _edit_directory(lab: Lab, name: bytes, offset: int, value: bytes) -> None:
    """Change the entry of a member in the list at the end of the archive."""
    data = bytearray(lab.path.read_bytes())
    at = data.rfind(b"PK\x01\x02", 0, data.rfind(name))
    data[at + offset : at + offset + len(value)] = value
    lab.path.write_bytes(data)


@attack(".keras", "does not hold the|more bytes than|at most|are made of|Bad|BadZipFile")
def a_member_that_lies_about_its_size(lab: Lab) -> None:
    write_archive(lab, {}, zipfile.ZIP_DEFLATED)
    _edit_directory(lab, b"config.json", 24, struct.pack("<L", 17))


@attack(".keras", "are made of|take")
def a_member_that_lies_about_what_is_stored(lab: Lab) -> None:
    write_archive(lab, {"model.weights.h5": bytes(100 * 2**20)}, zipfile.ZIP_DEFLATED)
    _edit_directory(lab, b"model.weights.h5", 20, struct.pack("<L", 100 * 2**20))


@attack(".keras", "members take|Overlapped|BadZipFile", "CVE-2024-0450 (record not seen)")
def members_that_overlap(lab: Lab) -> None:
    with zipfile.ZipFile(lab.path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in valid_members().items():
            archive.writestr(name, data)
        archive.writestr("assets/0", os.urandom(10_000) * 80)
        first = archive.infolist()[-1]
        for i in range(1, 1000):  # entries in the list, all for the same bytes
            info = zipfile.ZipInfo(f"assets/{i}")
            for key in ("header_offset", "compress_size", "file_size", "CRC", "compress_type"):
                setattr(info, key, getattr(first, key))
            archive.filelist.append(info)


@attack(".keras", "list its members|members; at most")
def members_without_end(lab: Lab) -> None:
    one = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"a"
    body = one * (20 * 2**20 // len(one))
    end = b"PK\x05\x06" + bytes(4) + struct.pack("<HHLLH", 65535, 65535, len(body), 0, 0)
    lab.path.write_bytes(body + end)


@attack(
    ".keras",
    "list its members|BadZipFile|not a zip archive|there is no|cannot fit|error",
    "CVE-2025-8291 (record not seen)",
)
def an_end_record_elsewhere(lab: Lab) -> None:
    write_archive(lab, {})
    data = lab.path.read_bytes()
    at = data.rfind(b"PK\x05\x06")
    record = b"PK\x06\x06" + struct.pack("<QHHLLQQQQ", 44, 45, 45, 0, 0, 1, 1, 2**40, 0)
    place = b"PK\x06\x07" + struct.pack("<LQL", 0, 7, 1)
    lab.path.write_bytes(data[:at] + record + place + data[at:])


@attack(".keras", "encrypted")
def an_encrypted_member(lab: Lab) -> None:
    write_archive(lab, {})
    _edit_directory(lab, b"config.json", 8, b"\1")


@attack(".keras", "not a zip archive", "CVE-2024-55459")
def a_tar_archive(lab: Lab) -> None:
    with tarfile.open(lab.path, "w") as archive:
        info = tarfile.TarInfo("../canary")
        archive.addfile(info)


@attack(".keras", "not a zip archive", "CVE-2025-12638 (record not seen)")
def a_tar_archive_of_links(lab: Lab) -> None:
    with tarfile.open(lab.path, "w:gz") as archive:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = tarfile.SYMTYPE, str(lab.secret)
        archive.addfile(info)


@attack(".keras", "not a zip archive")
def an_empty_archive(lab: Lab) -> None:
    lab.path.write_bytes(b"")


@attack(".keras", "there is no model.weights.h5")
def no_weights(lab: Lab) -> None:
    members = valid_members()
    del members["model.weights.h5"]
    with zipfile.ZipFile(lab.path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


@attack(".keras", "bzip2|not read|encrypted|CRC|header|BadZipFile")
def a_header_that_disagrees_with_the_list(lab: Lab) -> None:
    write_archive(lab, {})
    lab.path.write_bytes(lab.path.read_bytes().replace(b"config.json", b"config.jsom", 1))
