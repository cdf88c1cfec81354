"""The file of a backup: one archive of arrays and a JSON text, so that one renaming switches from state to state."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from polykeras.saving.errors import SavedFileError, reading
from polykeras.saving.files.atomic import atomic_write
from polykeras.saving.files.base import FlatWriter
from polykeras.saving.files.npz import NpzFile, write_npz
from polykeras.saving.limits import read_json

FORMAT = 1
LATEST, PREVIOUS = "latest.npz", "previous.npz"
_TEXT = "text"
_SHORT = 2**20  # a text of so many bytes keeps within all limits of `read_json`: `encode` limits the depth


class BackupFiles:
    """The files of a folder in which a run keeps its state.

    Args:
        folder: is made when it is needed.
        two: whether to keep the state before the last one too.
    """

    def __init__(self, folder: str | os.PathLike[str], two: bool = False) -> None:
        self.folder = Path(folder)
        self.two = two
        self._damaged = False  # whether the last state could not be read

    @property
    def latest(self) -> Path:
        """The file of the last state."""
        return self.folder / LATEST

    @property
    def previous(self) -> Path:
        """The file of the state before."""
        return self.folder / PREVIOUS

    def write(self, text: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Write a state, which takes the place of the last one as a whole or not at all.

        Args:
            text: what JSON can say.
            arrays: by name.

        Raises:
            SavedFileError: the text is larger than what is read; the last state stays.
        """
        data = json.dumps({"format": FORMAT, **text}).encode()
        if len(data) > _SHORT:
            read_json(data, str(self.latest), _TEXT)
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.two and self.latest.exists() and not self._damaged:
            self._keep_latest()
        collected = FlatWriter()
        collected.arrays = dict(arrays)
        collected.arrays[_TEXT] = np.frombuffer(data, np.uint8)
        with atomic_write(self.latest) as part:
            write_npz(part, collected)
        self._damaged = False

    def _keep_latest(self) -> None:
        """Give the last state's file a second name: at each moment there is a file of the first one."""
        link = self.folder / f"{PREVIOUS}.link"
        with suppress(FileNotFoundError):
            link.unlink()
        try:
            os.link(self.latest, link)
        except OSError:  # a file system without links
            with atomic_write(self.previous) as part:
                part.write_bytes(self.latest.read_bytes())
        else:
            os.replace(link, self.previous)

    def read(self) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """Return the text and the arrays of the last state, None where there is none.

        Raises:
            SavedFileError: the file is damaged, and there is none of the state before.
        """
        if not self.latest.exists():
            return None
        try:
            return _read(self.latest)
        except SavedFileError as error:
            if not self.previous.exists():
                error.add_note(f"Remove {self.folder} to begin anew.")
                raise
            found = _read(self.previous)
            self._damaged = True  # what is written next must not move it over the good one
            warnings.warn(f"{error}. The state before that one is taken, from {self.previous}.", stacklevel=2)
            return found

    def remove(self) -> None:
        """Remove the files, and the folder where nothing else is in it; the last state goes last."""
        for path in (self.folder / f"{PREVIOUS}.link", self.previous, self.latest):
            with suppress(FileNotFoundError):
                path.unlink()
        with suppress(OSError):
            self.folder.rmdir()


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    name = str(path)
    with reading(name), NpzFile(name) as file:
        arrays = {member: np.asarray(file.stored(member)) for member in file.flat_names()}
    if _TEXT not in arrays:
        raise SavedFileError(name, "", f"there is no {_TEXT!r} in it: it is no backup.")
    text = read_json(arrays.pop(_TEXT).tobytes(), name, _TEXT)
    if not isinstance(text, dict) or text.get("format") != FORMAT:
        found = text.get("format") if isinstance(text, dict) else None
        raise SavedFileError(name, _TEXT, f"a backup of format {FORMAT} was expected; received {found!r}.")
    return text, arrays
