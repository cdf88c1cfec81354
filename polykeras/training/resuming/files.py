"""The file of a backup. Arrays and a JSON text are in one archive, so that renaming one file replaces the state."""

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
_SHORT = 2**20  # a text of this size is within all limits of `read_json`, since `encode` limits its depth


class BackupFiles:
    """The files of the folder in which a run keeps its state.

    Args:
        folder: the folder; created when a state is written.
        two: also keep the state before the last one.
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
        """The file of the state before the last one."""
        return self.folder / PREVIOUS

    def write(self, text: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Write a state. It replaces the last one completely or not at all.

        Args:
            text: data that JSON can represent.
            arrays: arrays by name.

        Raises:
            SavedFileError: the text is too large to be read again. The last state stays.
            OSError: the system refuses. The last state stays.
        """
        data = json.dumps({"format": FORMAT, **text}).encode()
        if len(data) > _SHORT:
            read_json(data, str(self.latest), _TEXT)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            error.add_note(f"No backup was written: {self.folder} must be a folder. If it is lost, bring it back.")
            raise
        if self.two and self.latest.exists() and not self._damaged:
            self._keep_latest()
        collected = FlatWriter()
        collected.arrays = dict(arrays)
        collected.arrays[_TEXT] = np.frombuffer(data, np.uint8)
        with atomic_write(self.latest) as part:
            write_npz(part, collected)
        self._damaged = False

    def _keep_latest(self) -> None:
        """Give the file of the last state a second name. A file with the first name exists at each moment."""
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
        """Return the text and the arrays of the last state; None if there is no state.

        Raises:
            SavedFileError: the file is damaged, and there is no file of the state before.
        """
        if not self.latest.exists():
            return None
        try:
            return _read(self.latest)
        except SavedFileError as error:
            if not self.previous.exists():
                error.add_note(f"Remove {self.folder} to start again.")
                raise
            found = _read(self.previous)
            self._damaged = True  # the next `write` must not move it over the good file
            warnings.warn(f"{error}. The state before that one is taken, from {self.previous}.", stacklevel=2)
            return found

    def remove(self) -> None:
        """Remove the files, that of the last state last, and the folder if it is empty then."""
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
        raise SavedFileError(name, "", f"it has no {_TEXT!r}: it is not a backup.")
    text = read_json(arrays.pop(_TEXT).tobytes(), name, _TEXT)
    if not isinstance(text, dict) or text.get("format") != FORMAT:
        found = text.get("format") if isinstance(text, dict) else None
        raise SavedFileError(name, _TEXT, f"a backup of format {FORMAT} was expected; received {found!r}.")
    return text, arrays
