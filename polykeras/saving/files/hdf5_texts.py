"""Reads texts of variable length in the attributes of an HDF5 file in a separate process.

If the length that a file states is not that of the text, libhdf5 1.14.6 may crash the process that reads it. h5py
writes all Python strings in this form, among them the configs of Keras 1 and 2 and, in `.weights.h5` files, the names
of layers, which nobody reads.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from polykeras.saving.errors import SavedFileError
from polykeras.saving.files.hdf5_texts_reader import MOST_CHARACTERS

_SECONDS = 20
_MOST_BYTES = 8 * MOST_CHARACTERS  # bytes of JSON, in which a character takes six at most
PROGRAM = Path(__file__).with_name("hdf5_texts_reader.py")


def read_texts(path: str | os.PathLike[str], handle: int, owners: Sequence[str]) -> dict[str, str | list[str]]:
    """Return the texts in the attributes of some groups and their subgroups, by "GROUP NAME".

    Args:
        path: the HDF5 file.
        handle: the descriptor of the open file. Meanwhile, another file may have replaced it at the path.
        owners: the names of groups in the root, or "/". Missing groups are ignored.

    Raises:
        SavedFileError: if libhdf5 cannot read them.
    """
    if not sys.executable or getattr(sys, "frozen", False):  # the executable would be the program itself
        raise SavedFileError(
            path,
            "attributes",
            "a text of variable length is read by a separate Python process, which cannot be started here. Convert the "
            "file to `.keras` where Python is installed.",
        )
    by_handle = os.path.exists(f"/dev/fd/{handle}")  # elsewhere (on Windows) an open file cannot be replaced
    opened = f"/dev/fd/{handle}" if by_handle else os.path.abspath(path)
    # -P: nothing is imported from the current folder, or from the program's own.
    command = [sys.executable, "-P", os.fspath(PROGRAM), opened, *owners]
    try:
        run = subprocess.run(
            command, capture_output=True, timeout=_SECONDS, check=False, pass_fds=[handle] if by_handle else []
        )
        if run.returncode == 0 and len(run.stdout) <= _MOST_BYTES:
            return json.loads(run.stdout)
        told = run.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = told[-1] if told else f"libhdf5 ended with {run.returncode}."
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        reason = str(error)
    raise SavedFileError(path, "attributes", f"a text cannot be read: {reason}")
