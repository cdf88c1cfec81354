"""Prints the texts of variable length in an HDF5 file as JSON: `python hdf5_texts_reader.py FILE GROUP...`.

`hdf5_texts.py` runs it in a separate process, which libhdf5 may crash. It imports nothing of polykeras, to start fast.
"""

from __future__ import annotations

import json
import sys
from typing import Any

MOST_CHARACTERS = 32 * 2**20  # in all texts together: the limit of a config in any other file
_MOST_MEMORY = 512 * 2**20  # in addition to that of the interpreter and h5py
_MOST_KEYS = 100_000


def _bound_memory() -> None:
    """Limit the memory of this process, if the system can."""
    try:
        import resource
        from pathlib import Path

        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + _MOST_MEMORY, -1))
    except (ImportError, ValueError, OSError):
        pass


class _Texts:
    """The texts found so far, by "GROUP NAME"."""

    def __init__(self) -> None:
        self.found: dict[str, str | list[str]] = {}
        self._left = MOST_CHARACTERS

    def add(self, h5py: Any, group: Any, owner: str) -> None:
        """Add the texts in the attributes of a group."""
        for name in group.attrs:
            if h5py.check_string_dtype(group.attrs.get_id(name).dtype) is None:
                continue
            value = group.attrs[name]
            parts = value.tolist() if hasattr(value, "tolist") else value
            several = isinstance(parts, list)
            texts = []
            for part in parts if several else [parts]:
                texts.append(part.decode("utf-8") if isinstance(part, bytes) else str(part))
                self._left -= len(texts[-1])
                if self._left < 0:
                    sys.exit(f"The texts are longer than {MOST_CHARACTERS} characters altogether.")
            self.found[f"{owner} {name}"] = texts if several else texts[0]


def _child(h5py: Any, group: Any, key: str) -> Any:
    """Return a group in a group if it is not a link; else None."""
    hard = isinstance(group.get(key, getlink=True), h5py.HardLink)
    found = group[key] if hard else None
    return found if isinstance(found, h5py.Group) else None


def texts_of(path: str, owners: list[str]) -> dict[str, str | list[str]]:
    """Return the texts of some groups in the root, and of their subgroups."""
    import h5py

    texts = _Texts()
    # Opened by Python: HDF5 itself would open by name, which another file may have by now.
    with open(path, "rb") as source, h5py.File(source, "r") as file:
        for owner in owners:
            group = file if owner == "/" else _child(h5py, file, owner)
            if group is None:
                continue
            texts.add(h5py, group, owner)
            for key in list(group)[:_MOST_KEYS]:
                inner = _child(h5py, group, key)
                if inner is not None:
                    texts.add(h5py, inner, key if owner == "/" else f"{owner}/{key}")
    return texts.found


def main(path: str, owners: list[str]) -> None:
    """Print the texts.

    Args:
        path: the file.
        owners: the groups whose attributes are read.
    """
    import h5py  # noqa: F401 (before memory is bounded)

    _bound_memory()
    json.dump(texts_of(path, owners), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
