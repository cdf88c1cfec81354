"""The state of a model to files of arrays and back: all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from polykeras.backend import registry
from polykeras.common.checkpointable import Checkpointable
from polykeras.saving.errors import SavedFileError, reading
from polykeras.saving.files.base import ArrayFile, StoredArray, Writer
from polykeras.saving.walk import parts
from polykeras.variables import Variable, kept_values, put_back

ARRAYS = "vars"
"""The name of the group that holds a part's arrays."""


def group_of(path: str) -> str:
    """Return the group of a part's arrays."""
    return f"{path}/{ARRAYS}" if path else ARRAYS


def saved_variables(root: Checkpointable) -> list[Variable]:
    """Return the variables whose values are written to files of a model."""
    return [variable for _, part in parts(root) for variable in part._saved_variables()]


def save_state(root: Checkpointable, writer: Writer) -> None:
    """Write the arrays of all parts of a model."""
    for path, part in parts(root):
        arrays: dict[str, Any] = {}
        part.save_own_variables(arrays)
        if arrays or part._in_files:
            name = getattr(part, "name", None)
            host = {key: np.asarray(value) for key, value in arrays.items()}
            writer.write(group_of(path), host, {"name": name} if isinstance(name, str) else {})


def load_state(
    root: Checkpointable, file: ArrayFile, skip_mismatch: bool = False, without: Sequence[str] = ()
) -> list[str]:
    """Read the arrays of all parts of a model.

    Args:
        root: a built model.
        file: a file that `save_state` or Keras wrote.
        skip_mismatch: leave out parts that the file lacks, or holds with other numbers or shapes of arrays, and arrays
            that have no place in the model.
        without: the paths of parts to leave unchanged, with everything in them.

    Returns:
        The parts that were left out, each with the reason.

    Raises:
        SavedFileError: if the file does not fit the model; then nothing is changed.
    """
    left_out: list[str] = []
    found = [(path, part) for path, part in parts(root) if not is_within(path, without)]
    # On the host: no framework is needed to read a file.
    with unchanged_on_error([part for _, part in found]), registry.use_backend("numpy"):
        for path, part in found:
            group = group_of(path)
            store = file.group(group)
            if not store and not (part._in_files and part._saved_variables()):
                continue
            try:
                _load_part(part, store, file.path, group)
            except SavedFileError as error:
                if not skip_mismatch:
                    raise
                left_out.append(f"{error.place}: {error.reason}")
        unread = _unread(file, {group_of(path) for path, _ in found}, without)
        if unread and not skip_mismatch:
            raise SavedFileError(file.path, unread[0], f"has no place in {type(root).__name__} {_name_of(root)}.")
    return [*left_out, *(f"{group}: has no place in the model." for group in unread)]


def _name_of(root: Any) -> str:
    return repr(getattr(root, "name", ""))


def _unread(file: ArrayFile, read: set[str], without: Sequence[str]) -> list[str]:
    """Return the groups of arrays in a file that no part of a model reads."""
    return [name for name in file.names() if name not in read and not is_within(name, without)]


def is_within(path: str, others: Sequence[str]) -> bool:
    """Return whether a part is one of others, or within one."""
    return any(path == other or path.startswith(f"{other}/") for other in others)


def _load_part(part: Checkpointable, store: Mapping[str, StoredArray], path: str, group: str) -> None:
    with reading(path, group):
        try:
            part.load_own_variables(store)
        except (ValueError, KeyError) as error:
            if isinstance(error, SavedFileError):
                raise
            raise SavedFileError(path, group, str(error)) from error


@contextmanager
def unchanged_on_error(found: list[Checkpointable]) -> Iterator[None]:
    """Restore the values of some parts' variables if the block raises."""
    before = kept_values(v for part in found for v in part._saved_variables())
    try:
        yield
    except BaseException:
        put_back(before)
        raise
