"""`.keras` files: a zip archive of a config, the arrays, and files that layers write."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from polykeras.common.checkpointable import Checkpointable
from polykeras.common.release import KERAS_RELEASE, __version__
from polykeras.saving import shared_objects
from polykeras.saving.errors import SavedFileError, reading
from polykeras.saving.files.atomic import atomic_write
from polykeras.saving.files.hdf5 import Hdf5File, Hdf5Writer, require_h5py
from polykeras.saving.files.zips import open_zip, read_member
from polykeras.saving.hidden_quantization import refuse_hidden_quantization
from polykeras.saving.keras_operations import warn_of_own_ops
from polykeras.saving.lambdas import code_allowed, is_code_refused
from polykeras.saving.limits import MAX_CONFIG_BYTES, check_readable, read_json
from polykeras.saving.restoring import following, model_of_config, restore
from polykeras.saving.serialization import serialize_keras_object
from polykeras.saving.shared_objects import sharing_objects
from polykeras.saving.state import save_state
from polykeras.saving.walk import parts

if TYPE_CHECKING:
    from polykeras.models import Model

CONFIG, METADATA, WEIGHTS, ASSETS = "config.json", "metadata.json", "model.weights.h5", "assets"
_MOST_ASSET_BYTES = 2**30


def save_archive(model: Model, path: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Write a model to a `.keras` file, either completely or not at all.

    Args:
        model: the model, compiled or not.
        path: the file.
        overwrite: whether an existing file is replaced.

    Raises:
        FileExistsError: if the file exists and must not be replaced.
        NotImplementedError: if a layer cannot be serialized.
        ValueError: if the config, or a file that a layer wrote, is too large to be read again, or if the config would
            not say that a layer is quantized.
    """
    require_h5py()
    config = model_text(model, str(path))
    about = {"keras_version": KERAS_RELEASE, "date_saved": f"{datetime.now():%Y-%m-%d@%H:%M:%S}"}
    about["polykeras_version"] = __version__
    with atomic_write(path, overwrite) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(METADATA, json.dumps(about))
        archive.writestr(CONFIG, config)
        # A temporary file in the same folder, which has room for it. It has no name, so that a crash leaves nothing.
        with tempfile.TemporaryFile(dir=part.parent) as file:
            with Hdf5Writer(file) as writer:
                save_state(model, writer)
            file.seek(0)
            with archive.open(WEIGHTS, "w", force_zip64=True) as member:
                shutil.copyfileobj(file, member, 2**20)
        for inner, made in model_files(model):
            archive.write(made, f"{ASSETS}/{inner}")


def model_text(model: Model, place: str) -> str:
    """Return the JSON that describes a model.

    Args:
        model: the model.
        place: where it goes to, for warnings.

    Raises:
        NotImplementedError: if a layer cannot be serialized.
        ValueError: if the text is too large to be read again, or would not say that a layer is quantized.
    """
    with sharing_objects():
        described = serialize_keras_object(model)
        refuse_hidden_quantization(model, shared_objects.configs())
    config = json.dumps(described)
    check_readable(config, f"The config of {model.name!r}")
    warn_of_own_ops(described, repr(model.name), place)
    return config


def model_files(model: Any) -> Iterator[tuple[str, Path]]:
    """Yield the files that the parts of a model write, each with its path among them. It is removed at the next one.

    Raises:
        ValueError: if a file is too large to be read again.
    """
    part: Any
    for path, part in parts(model):
        if not hasattr(part, "save_assets"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            part.save_assets(folder)
            for file in sorted(p for p in Path(folder).rglob("*") if p.is_file() and not p.is_symlink()):
                if file.stat().st_size > _MOST_ASSET_BYTES:
                    raise ValueError(
                        f"{file.name!r} of {path or 'the model'!r} takes {file.stat().st_size} bytes; a file of this "
                        f"kind is read only up to {_MOST_ASSET_BYTES} bytes."
                    )
                yield str(PurePosixPath(path, file.relative_to(folder).as_posix())), file


def load_archive(
    path: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Model:
    """Return the model of a `.keras` file.

    Args:
        path: the file.
        custom_objects: the user's classes and functions that the file names.
        compile: whether to compile the model as it was.
        safe_mode: whether code in the file is refused.

    Raises:
        SavedFileError: if the file is malformed, or claims more than it holds.
    """
    name = os.fspath(path)
    archive, members = open_zip(name)
    with archive, following(custom_objects, safe_mode):
        text = read_member(archive, _member(members, CONFIG, name), name, MAX_CONFIG_BYTES)
        config = read_json(text, name, CONFIG)
        if not compile and isinstance(config, dict):
            config.pop("compile_config", None)
        weights = _member(members, WEIGHTS, name)
        model = model_of_config(config, name, CONFIG, len(text))
        place = f"{name}/{WEIGHTS}"
        # Traversing the model may fail too, because of the config.
        with _unpacked(archive, weights, name) as file, Hdf5File(file, place) as arrays, reading(place):
            restore(model, arrays)
        held = {
            member.removeprefix(f"{ASSETS}/"): partial(read_member, archive, info, name, _MOST_ASSET_BYTES)
            for member, info in members.items()
            if member.startswith(f"{ASSETS}/") and not info.is_dir()
        }
        load_assets(model, held, name)
    return model


def open_weights(path: str) -> Hdf5File:
    """Return the arrays of a `.keras` file, open for reading."""
    archive, members = open_zip(path)
    with archive, _unpacked(archive, _member(members, WEIGHTS, path), path) as file:
        kept = os.fdopen(os.dup(file.fileno()), "rb")
    return Hdf5File(kept, f"{path}/{WEIGHTS}", owned=True)


def read_about(path: str) -> tuple[Any, Any]:
    """Return the config of a `.keras` file's model, and the file's metadata."""
    archive, members = open_zip(path)
    with archive:
        config, about = (
            read_json(read_member(archive, _member(members, name, path), path, MAX_CONFIG_BYTES), path, name)
            for name in (CONFIG, METADATA)
        )
    return config, about


def _member(members: Mapping[str, zipfile.ZipInfo], member: str, name: str) -> zipfile.ZipInfo:
    if member not in members:
        raise SavedFileError(name, "", f"there is no {member} in it.")
    return members[member]


@contextmanager
def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> Iterator[IO[bytes]]:
    """Yield a temporary file without a name that holds the bytes of a member."""
    with tempfile.TemporaryFile() as file:
        with reading(name, member.filename), archive.open(member) as packed:
            left = member.file_size
            while chunk := packed.read(2**20):
                left -= len(chunk)
                if left < 0:
                    raise SavedFileError(name, member.filename, "holds more bytes than it states.")
                file.write(chunk)
        file.seek(0)
        yield file


def load_assets(model: Checkpointable, files: Mapping[str, Callable[[], bytes]], name: str) -> None:
    """Give the parts of a model the files that they wrote.

    Args:
        model: the model.
        files: what returns the contents of each file, by its path among them.
        name: where they come from, for messages.

    Raises:
        SavedFileError: if a part cannot read its files.
    """
    part: Any
    for path, part in parts(model):
        if not hasattr(part, "load_assets"):
            continue
        prefix = f"{path}/" if path else ""
        with tempfile.TemporaryDirectory() as folder, reading(name, f"{ASSETS}/{prefix}"):
            for inner, read in files.items():
                if inner.startswith(prefix):
                    target = _place_of(inner[len(prefix) :], folder)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(read())
            # Its files hold no configs of ours: what refuses code there does not refuse the files.
            with code_allowed(None) if is_code_refused() else nullcontext():
                part.load_assets(folder)


def _place_of(member: str, folder: str) -> Path:
    """Return the path in `folder` to which a member is unpacked, never outside of it."""
    base = Path(folder).resolve()
    target = (base / member).resolve()  # on Windows, a name may have a hidden meaning
    if ":" in member or not target.is_relative_to(base) or target == base:
        raise ValueError(f"{member!r} lies outside of the archive.")
    return target
