"""The error of invalid files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from polykeras.common.naming import did_you_mean

_LONGEST_PLACE, _LONGEST_REASON, _ROOM = 300, 2000, 40


class SavedFileError(ValueError):
    """A file is invalid. The message says which file, where in it, and what is wrong.

    Attributes:
        path: the file.
        place: the part of the file, or "" for all of it.
        reason: what is wrong.
    """

    def __init__(self, path: str | os.PathLike[str], place: str, reason: str) -> None:
        # Both may contain data of the file, which must not flood the screen or a log.
        self.path, self.place = os.fspath(path), _shortened(place, _LONGEST_PLACE)
        self.reason = _shortened(reason, _LONGEST_REASON)
        super().__init__(": ".join(part for part in (self.path, self.place, self.reason) if part))

    def __reduce__(self) -> tuple[Any, ...]:
        """Return the three parts instead of the message, so that pools of processes can pass the error on."""
        return type(self), (self.path, self.place, self.reason), self.__dict__


def no_file(path: str) -> FileNotFoundError:
    """Return the error of a file that is not there: it says where it was looked for, and names a similar one."""
    folder, name = os.path.split(os.path.abspath(path))
    near = did_you_mean(name, os.listdir(folder)) if os.access(folder, os.R_OK) else " There is no such folder."
    return FileNotFoundError(f"There is no file {path}. It was looked for in {folder}.{near}")


def _shortened(text: str, longest: int) -> str:
    # A text that was shortened before is left unchanged.
    return text if len(text) <= longest + _ROOM else f"{text[:longest]}... ({len(text)} characters)"


@contextmanager
def reading(path: str | os.PathLike[str], place: str = "") -> Iterator[None]:
    """Turn errors of libraries about bad data within the block into a `SavedFileError` that says where they arose.

    A file that cannot be opened at all raises the system's own error. So does a missing library.
    """
    try:
        yield
    except (SavedFileError, ImportError, Warning):
        raise
    except Exception as error:  # BadZipFile, zlib.error, struct.error and TokenError have no common base
        if isinstance(error, OSError) and error.errno is not None and _is(error.filename, path):
            raise
        try:
            reason = str(error).strip() or "no reason given"
        except Exception:  # the text may contain an object from the file that cannot be printed
            reason = "a reason that cannot be printed"
        raise SavedFileError(path, place, f"{reason} ({type(error).__name__})") from error


def _is(filename: object, path: str | os.PathLike[str]) -> bool:
    return isinstance(filename, (str, bytes, os.PathLike)) and os.fsdecode(filename) == os.fspath(path)
