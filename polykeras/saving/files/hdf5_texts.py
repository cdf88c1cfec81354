"""Texts of variable length in the attributes of an HDF5 file, read by a process of their own.

Where the length that a file says is not that of the text, libhdf5 1.14.6 may end the process that reads it. h5py writes
all texts so that are given to it as Python's: the configs of Keras 1 and 2 among them, and in `.weights.h5` files the
names of layers, which nobody reads.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence

from polykeras.saving.errors import SavedFileError
from polykeras.saving.limits import MAX_CONFIG_BYTES

_SECONDS = 60
_MEMORY = 4 * 2**30
_SCRIPT = """
import json, sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]), -1))
except (ImportError, ValueError, OSError):
    pass
import h5py
found = {}
def note(group, owner):
    for name in group.attrs:
        if h5py.check_string_dtype(group.attrs.get_id(name).dtype) is None:
            continue
        value = group.attrs[name]
        parts = value.tolist() if hasattr(value, "tolist") else value
        several = isinstance(parts, list)
        texts = [p.decode("utf-8") if isinstance(p, bytes) else str(p) for p in (parts if several else [parts])]
        found[owner + " " + name] = texts if several else texts[0]
def child(group, key):
    hard = isinstance(group.get(key, getlink=True), h5py.HardLink)
    found = group[key] if hard else None
    return found if isinstance(found, h5py.Group) else None
with h5py.File(sys.argv[2], "r", locking=False) as file:
    for owner in sys.argv[3:]:
        group = file if owner == "/" else child(file, owner)
        if group is None:
            continue
        note(group, owner)
        for key in list(group)[:100000]:
            inner = child(group, key)
            if inner is not None:
                note(inner, key if owner == "/" else owner + "/" + key)
sys.stdout.write(json.dumps(found))
"""


def read_texts(path: str | os.PathLike[str], owners: Sequence[str]) -> dict[str, str | list[str]]:
    """Return the texts in the attributes of some groups and of those in them, by the group, a space, and the name.

    Args:
        path: of an HDF5 file.
        owners: names of groups in its root, or "/"; those that are not there are left out.

    Raises:
        SavedFileError: libhdf5 cannot read them.
    """
    if not sys.executable or getattr(sys, "frozen", False):  # what is started would be the program itself
        raise SavedFileError(
            path,
            "attributes",
            "a text of variable length is read by a Python of its own, and there is none to start here. Convert the "
            "file to `.keras` where Python is installed.",
        )
    # -P: nothing is imported from the folder in which the program runs.
    command = [sys.executable, "-P", "-c", _SCRIPT, str(_MEMORY), os.path.abspath(path), *owners]
    try:
        run = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
        if run.returncode == 0 and len(run.stdout) <= 4 * MAX_CONFIG_BYTES:
            return json.loads(run.stdout)
        told = run.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = told[-1] if told else f"libhdf5 ended with {run.returncode}."
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        reason = str(error)
    raise SavedFileError(path, "attributes", f"a text cannot be read: {reason}")
