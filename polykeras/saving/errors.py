"""The error of files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_LONGEST_PLACE, _LONGEST_REASON, _ROOM = 300, 2000, 40


class SavedFileError(ValueError):
    """A file is not what it should be: the message says which file, where in it, and what is wrong.

    Attributes:
        path: the file.
        place: the part of it, "" for all.
        reason: what is wrong.
    """

    def __init__(self, path: str | os.PathLike[str], place: str, reason: str) -> None:
        # What a file holds may stand in both: it must not flood the screen, nor a log.
        self.path, self.place = os.fspath(path), _shortened(place, _LONGEST_PLACE)
        self.reason = _shortened(reason, _LONGEST_REASON)
        super().__init__(": ".join(part for part in (self.path, self.place, self.reason) if part))

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy is made of the three parts, not of the message: for pools of processes."""
        return type(self), (self.path, self.place, self.reason), self.__dict__


def _shortened(text: str, longest: int) -> str:
    # What was shortened before stays as it is.
    return text if len(text) <= longest + _ROOM else f"{text[:longest]}... ({len(text)} characters)"


@contextmanager
def reading(path: str | os.PathLike[str], place: str = "") -> Iterator[None]:
    """Turn whatever libraries raise for bad data within the block into a `SavedFileError` that says where it was met.

    A file that cannot be opened at all is the system's own error; so is a library that is not installed.
    """
    try:
        yield
    except (SavedFileError, ImportError, Warning):
        raise
    except Exception as error:  # BadZipFile, zlib.error, struct.error and TokenError have no base in common
        if isinstance(error, OSError) and error.errno is not None and _is(error.filename, path):
            raise
        try:
            reason = str(error).strip() or "no reason given"
        except Exception:  # the text may hold what a file made, which cannot be printed
            reason = "no reason that can be told"
        raise SavedFileError(path, place, f"{reason} ({type(error).__name__})") from error


def _is(filename: object, path: str | os.PathLike[str]) -> bool:
    return isinstance(filename, (str, bytes, os.PathLike)) and os.fsdecode(filename) == os.fspath(path)
