"""Saving and loading of whole models, in any format."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

from polykeras.distribution.whole import whole_on_first_worker
from polykeras.saving.errors import no_file
from polykeras.saving.weights import LEGACY_SUFFIXES

if TYPE_CHECKING:
    from polykeras.models import Model

SUFFIXES = (".keras", *LEGACY_SUFFIXES)
"""How the names of files of models end."""


def save_model(
    model: Any,
    filepath: str | os.PathLike[str] | IO[bytes],
    overwrite: bool = True,
    zipped: bool | None = None,
    include_optimizer: bool = True,
    save_format: str | None = None,
) -> None:
    """Write a model to a file: its layers, weights, compile arguments and optimizer state.

    The file is written completely or not at all. It does not depend on the backend, and Keras 3 can read it. If weights
    are cut over several processes (`ModelParallel`), all call this, and worker 0 writes.

    Args:
        model: any model that can be serialized; see `get_config`.
        filepath: a path that ends in `.keras`, or in `.h5` for the format of Keras 2; or an open file, as `io.BytesIO`.
        overwrite: whether an existing file is replaced.
        zipped: False writes the files of a `.keras` archive to a folder, whose name must not end in `.keras`.
        include_optimizer: for `.h5`: whether to write the optimizer's state.
        save_format: accepted for Keras 2 code, without effect, as in Keras 3; the suffix decides the format.

    Raises:
        FileExistsError: if the file exists and must not be replaced.
        ImportError: if h5py is not installed.
        ValueError: if the suffix is unknown, or does not fit `zipped`.

    Example:
        >>> import tempfile
        >>> import polykeras as keras
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(f"{folder}/model.keras")
        ...     keras.saving.load_model(f"{folder}/model.keras").count_params()
        3
    """
    # Code for a format is imported when it is used: `import polykeras` needs none of it.
    from polykeras.saving.state import saved_variables

    with whole_on_first_worker(lambda: saved_variables(model)) as writes:
        if writes:
            _write_model(model, filepath, overwrite, zipped, include_optimizer)


def _write_model(
    model: Any,
    filepath: str | os.PathLike[str] | IO[bytes],
    overwrite: bool,
    zipped: bool | None,
    include_optimizer: bool,
) -> None:
    from polykeras.saving import unzipped

    if unzipped.is_file(filepath):
        unzipped.save_to_file(model, filepath)  # type: ignore[arg-type]
        return
    path = os.fspath(filepath)  # type: ignore[arg-type]
    if zipped is False:
        if path.endswith(".keras"):
            raise ValueError(f"With zipped=False a model is written to a folder, not to a file; received {path!r}.")
        unzipped.save_folder(model, path, overwrite)
    elif path.endswith(".keras"):
        from polykeras.saving.archive import save_archive

        save_archive(model, path, overwrite)
    elif path.endswith(LEGACY_SUFFIXES):
        from polykeras.saving.legacy.files import save_legacy

        save_legacy(model, path, overwrite, include_optimizer)
    else:
        raise ValueError(
            f"Models are written to files that end in '.keras' (or '.h5', as in Keras 2); received {path!r}."
        )


def load_model(
    filepath: str | os.PathLike[str] | IO[bytes],
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Model:
    """Return the model of a file that `save_model`, or Keras, wrote.

    The file may come from a stranger. It can name only objects of polykeras and those that you have registered or pass.
    No code in it is run, and its memory is limited by its size (docs/saving.md).

    Args:
        filepath: a `.keras` file, an open one, or a folder with its contents; an `.h5` file of Keras 1 or 2;
            or a folder of `OrbaxCheckpoint`, whose last step is read, or of one step.
        custom_objects: your classes and functions that the file names.
        compile: whether to compile the model as it was.
        safe_mode: False also runs the code of `lambda`s in the file.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: if h5py is not installed.
        SavedFileError: if the file is malformed; a `ValueError` that says where and why.
    """
    from polykeras.saving import unzipped

    if unzipped.is_file(filepath):
        return unzipped.load_from_file(filepath, custom_objects, compile, safe_mode)  # type: ignore[arg-type]
    path = os.fspath(filepath)  # type: ignore[arg-type]
    if not os.path.exists(path):
        raise no_file(path)
    if unzipped.is_folder(path):
        return unzipped.load_folder(path, custom_objects, compile, safe_mode)
    if path.endswith(".keras"):
        from polykeras.saving.archive import load_archive

        return load_archive(path, custom_objects, compile, safe_mode)
    if path.endswith(LEGACY_SUFFIXES):
        from polykeras.saving.legacy.files import load_legacy

        return load_legacy(path, custom_objects, compile, safe_mode)
    if os.path.isdir(path):
        from polykeras.saving.orbax import is_checkpoint, load_checkpoint

        if is_checkpoint(path):
            return load_checkpoint(path, custom_objects, compile, safe_mode)
        raise ValueError(f"The folder {path!r} holds no model: there is no {unzipped.CONFIG} in it.")
    raise ValueError(f"Models are read from files that end in '.keras', '.h5' or '.hdf5'; received {path!r}.")
