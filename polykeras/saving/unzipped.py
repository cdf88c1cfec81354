"""Models in open files and in folders: the contents of a `.keras` file in another place."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from polykeras.saving.archive import CONFIG, load_archive, save_archive

if TYPE_CHECKING:
    from polykeras.models import Model

_NAME = "model.keras"


def is_file(target: Any) -> bool:
    """Return whether an object is an open file, such as `io.BytesIO`, and not a path."""
    return hasattr(target, "read") or hasattr(target, "write")


def is_folder(path: str) -> bool:
    """Return whether a folder holds a model."""
    return os.path.isfile(os.path.join(path, CONFIG))


def save_to_file(model: Model, file: IO[bytes]) -> None:
    """Write the archive of a model to an open file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, _NAME)
        save_archive(model, path)
        with path.open("rb") as made:
            shutil.copyfileobj(made, file, 2**20)


def load_from_file(
    file: IO[bytes], custom_objects: Mapping[str, Any] | None = None, compile: bool = True, safe_mode: bool = True
) -> Model:
    """Return the model of an archive, read from an open file up to its end. Arguments are as for `load_archive`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, _NAME)
        with path.open("wb") as copy:
            shutil.copyfileobj(file, copy, 2**20)
        return load_archive(path, custom_objects, compile, safe_mode)


def save_folder(model: Model, path: str, overwrite: bool = True) -> None:
    """Write the contents of a model's archive as files in a folder, each completely or not at all.

    Raises:
        FileExistsError: if if the folder exists and must not be written to.
    """
    target = Path(path)
    if target.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; pass overwrite=True to replace its contents.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder, _NAME)
        save_archive(model, made)
        with zipfile.ZipFile(made) as archive:
            for member in archive.namelist():
                place = target / member
                place.parent.mkdir(parents=True, exist_ok=True)
                os.replace(archive.extract(member, folder), place)


def load_folder(
    path: str, custom_objects: Mapping[str, Any] | None = None, compile: bool = True, safe_mode: bool = True
) -> Model:
    """Return the model of a folder, read by `load_archive`, with the same arguments. Links are ignored."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, _NAME)
        with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
            for file in sorted(p for p in Path(path).rglob("*") if p.is_file() and not p.is_symlink()):
                archive.write(file, file.relative_to(path).as_posix())
        return load_archive(made, custom_objects, compile, safe_mode)
