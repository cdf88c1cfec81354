"""Weights in several HDF5 files, with a `.weights.json` index, as Keras 3 writes them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from polykeras.saving.errors import SavedFileError
from polykeras.saving.files.atomic import atomic_write
from polykeras.saving.files.base import ArrayFile, StoredArray, Writer
from polykeras.saving.files.hdf5 import Hdf5File, Hdf5Writer
from polykeras.saving.limits import MAX_CONFIG_BYTES, check_readable, read_json

_MOST_SHARDS = 500
_MOST_NUMBERS = 100_000
_ATTEMPTS = 5

_Group = tuple[str, dict[str, np.ndarray], dict[str, str]]


class _Plan(Writer):
    """Divides groups among files by size, and keeps the arrays until they are written."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.shards: list[list[_Group]] = [[]]
        self.total = self._size = 0

    def write(self, group: str, arrays: Mapping[str, np.ndarray], attributes: Mapping[str, str]) -> None:
        if not arrays:
            self.shards[-1].append((group, {}, dict(attributes)))
        for name, array in arrays.items():
            if array.nbytes > self.limit:
                raise ValueError(
                    f"The array {group}/{name} takes {array.nbytes} bytes, more than a file may hold "
                    f"({self.limit:.0f}): pass a larger `max_shard_size`."
                )
            if self._size + array.nbytes > self.limit:
                self.shards.append([])
                self._size = 0
            last = self.shards[-1]
            if not last or last[-1][0] != group:
                last.append((group, {}, dict(attributes)))
            last[-1][1][name] = array
            self._size += array.nbytes
            self.total += array.nbytes


def save_sharded(save: Callable[[Any], None], path: str, overwrite: bool, gigabytes: float) -> None:
    """Write groups of arrays to several files. The index, which makes them valid, is written last.

    Args:
        save: passes the arrays to a writer.
        path: the index; ends in `.weights.json`.
        overwrite: whether existing files are replaced.
        gigabytes: the size of one file in GB (2**30 bytes).

    Raises:
        FileExistsError: if the list exists and must not be replaced.
        ValueError: if an array is larger than a file may be, or there would be more files than the reader accepts.
    """
    if not overwrite and os.path.lexists(path):
        raise FileExistsError(f"{path} exists; pass overwrite=True to replace it.")
    plan = _Plan(gigabytes * 2**30)
    save(plan)
    if len(plan.shards) > _MOST_SHARDS:
        raise ValueError(
            f"The weights would take {len(plan.shards)} files, but at most {_MOST_SHARDS} can be read again: pass a "
            "larger `max_shard_size`."
        )
    folder, base = Path(path).parent, Path(path).name.removesuffix(".json").removesuffix(".weights")
    places: dict[str, Any] = {}
    written: list[Path] = []
    try:
        # Names in an older index are not used again, since a reader of that index would find the new file.
        number = max((int(name[len(base) + 1 :][:5]) + 1 for name in _own_shards(path, base)), default=0)
        for groups in plan.shards:
            shard, number = _write_shard(groups, folder, base, number)
            written.append(shard)
            for group, arrays, _ in groups:
                if arrays:
                    places.setdefault(f"/{group}", []).append(shard.name)
        texts = {group: names[0] if len(names) == 1 else names for group, names in places.items()}
        listed = json.dumps({"metadata": {"total_size": plan.total}, "weight_map": texts}, indent=4)
        check_readable(listed, "The list of weights")
        replaced = _own_shards(path, base)
        with atomic_write(path, overwrite) as part:
            part.write_text(listed)
    except BaseException:
        _remove(written)
        raise
    first = folder / f"{base}_{0:05}.weights.h5"
    _remove([folder / name for name in replaced.difference(shard.name for shard in [*written, first])])
    if first not in written and (first.name in replaced or not first.exists()):
        with suppress(OSError), atomic_write(first) as part, Hdf5Writer(part):
            pass  # an empty file: Keras opens the file of this name first, whatever the index says


def _write_shard(groups: list[_Group], folder: Path, base: str, number: int) -> tuple[Path, int]:
    """Write one of the files under the first free number, so that files of an older index stay unchanged.

    Returns:
        The file, and the next number.
    """
    for taken in [*range(number, _MOST_NUMBERS), *range(number)]:
        shard = folder / f"{base}_{taken:05}.weights.h5"
        if os.path.lexists(shard):
            continue
        try:
            with atomic_write(shard, overwrite=False) as part, Hdf5Writer(part) as writer:
                for group, arrays, attributes in groups:
                    writer.write(group, arrays, attributes)
        except FileExistsError:  # another writer was faster
            continue
        return shard, taken + 1
    raise FileExistsError(f"There are {_MOST_NUMBERS} files {folder / base}_*.weights.h5: remove those of older lists.")


def _own_shards(path: str, base: str) -> set[str]:
    """Return the files of an existing index whose names follow our pattern, since an index may name any file."""
    try:
        places = _places(path)
    except (OSError, SavedFileError):
        return set()
    pattern = re.compile(re.escape(base) + r"_\d{5}\.weights\.h5")
    return {name for names in places.values() for name in names if pattern.fullmatch(name)}


def _remove(files: list[Path]) -> None:
    for file in files:
        with suppress(OSError):
            file.unlink()


def _places(path: str) -> dict[str, list[str]]:
    """Return the files that hold each group, as an index says."""
    if os.path.getsize(path) > MAX_CONFIG_BYTES:
        raise SavedFileError(path, "", f"is no list of weights: more than {MAX_CONFIG_BYTES} bytes.")
    listed = read_json(Path(path).read_bytes(), path, "")
    places = listed.get("weight_map") if isinstance(listed, dict) else None
    if not isinstance(places, dict):
        raise SavedFileError(path, "", "has no `weight_map`.")
    found = {group.lstrip("/"): _names(value, path, group) for group, value in places.items()}
    if len({name for names in found.values() for name in names}) > _MOST_SHARDS:
        raise SavedFileError(path, "weight_map", f"names more than {_MOST_SHARDS} files.")
    return found


def _names(value: Any, path: str, group: str) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SavedFileError(path, group, "names no files.")
    for name in names:
        if Path(name).name != name or "\\" in name or ":" in name or "\0" in name or not name.endswith(".h5"):
            raise SavedFileError(path, group, f"{name!r} is no file beside this one.")
    return list(dict.fromkeys(names))


class ShardedFile(ArrayFile):
    """The files that a `.weights.json` names, which are beside it. All of them are opened at once.

    So they belong to one index, even if a writer replaces it at that moment.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._open: dict[str, Hdf5File] = {}
        for attempt in range(_ATTEMPTS):
            self._places = _places(path)
            names = dict.fromkeys(name for names in self._places.values() for name in names)
            try:
                for name in names:
                    self._open[name] = self._opened(name)
                if _places(path) == self._places:  # otherwise another index came in between, and removed files
                    return
                self.close()
            except BaseException as error:
                self.close()
                if not isinstance(error, OSError | SavedFileError) or attempt == _ATTEMPTS - 1:
                    raise
                if _places(path) == self._places:
                    raise
        raise SavedFileError(path, "", "was replaced repeatedly while it was read.")

    def _opened(self, name: str) -> Hdf5File:
        path = os.fspath(Path(self.path).with_name(name))
        if not os.path.isfile(path) or os.path.islink(path):
            raise SavedFileError(self.path, "weight_map", f"there is no file {name} beside it.")
        return Hdf5File(path, path)

    def names(self) -> list[str]:
        return list(self._places)

    def group(self, name: str) -> Mapping[str, StoredArray]:
        found: dict[str, StoredArray] = {}
        for file in self._places.get(name, []):
            found |= self._open[file].group(name)
        return found

    def close(self) -> None:
        for file in self._open.values():
            file.close()
        self._open.clear()
