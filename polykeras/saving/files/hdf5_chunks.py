"""Checks of compressed HDF5 data sets before the library unpacks them, since it does not limit their size."""

from __future__ import annotations

import zlib
from typing import Any

from polykeras.saving.errors import SavedFileError
from polykeras.saving.limits import Allowance

_DEFLATE, _SHUFFLE, _FLETCHER, _LZF = 1, 2, 3, 32000
_NAMES = {_DEFLATE: "gzip", _SHUFFLE: "shuffle", _FLETCHER: "fletcher32", _LZF: "lzf"}
# The allowed filters, in the order in which they apply. Others would be loaded as plugins, or are hardly ever used.
_PIPELINE = ({_SHUFFLE}, {_DEFLATE, _LZF}, {_FLETCHER})
_CHECKSUM_BYTES = 4
_MOST_CHUNKS = 1_000_000


def check_chunks(dataset: Any, allowance: Allowance, path: str, name: str) -> None:
    """Refuse a data set whose chunks use unknown filters, or unpack to more than they state.

    Args:
        dataset: the h5py data set.
        allowance: the memory budget of the file's arrays.
        path: the file, for messages.
        name: the name of the data set.

    Raises:
        SavedFileError: if it is such a data set.
    """
    plist = dataset.id.get_create_plist()
    filters = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
    _check_order(filters, path, name)
    if dataset.chunks is None:
        return
    size = dataset.dtype.itemsize
    for n in dataset.chunks:
        size *= int(n)
    stored = dataset.id.get_storage_size()
    allowance.take(f"{name} (a chunk)", size, stored)
    if _DEFLATE in filters and dataset.size:
        count = dataset.id.get_num_chunks()
        if count > _MOST_CHUNKS or stored > 2 * allowance.stored:
            raise SavedFileError(path, name, f"{count} chunks of {stored} bytes in a file of {allowance.stored}.")
        for info in _chunks(dataset, count):
            _check_packed(dataset, info, size, _FLETCHER in filters, path, name)


def _check_order(filters: list[int], path: str, name: str) -> None:
    steps = iter(_PIPELINE)
    for kind in filters:
        if not any(kind in step for step in steps):
            known = ", ".join(_NAMES.values())
            raise SavedFileError(path, name, f"is packed by the filters {filters}; supported are {known}, each once.")


def _chunks(dataset: Any, count: int) -> list[Any]:
    found: list[Any] = []
    if hasattr(dataset.id, "chunk_iter"):  # one by one, the cost is quadratic
        dataset.id.chunk_iter(found.append)
        return found
    return [dataset.id.get_chunk_info(i) for i in range(count)]


def _check_packed(dataset: Any, info: Any, size: int, checksum: bool, path: str, name: str) -> None:
    if info.filter_mask or info.size > size + size // 100 + 1024:
        raise SavedFileError(path, name, f"a chunk of {size} bytes takes {info.size} in the file.")
    _, packed = dataset.id.read_direct_chunk(info.chunk_offset)
    unpacker = zlib.decompressobj()
    unpacked = len(unpacker.decompress(packed[:-_CHECKSUM_BYTES] if checksum else packed, size + 1))
    if unpacked != size or not unpacker.eof:
        raise SavedFileError(path, name, f"a chunk of {size} bytes unpacks to {unpacked}, or more.")
