"""Whole models to files and back, whatever the format."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polykeras.models import Model


def save_model(
    model: Any,
    filepath: str | os.PathLike[str] | IO[bytes],
    overwrite: bool = True,
    zipped: bool | None = None,
    include_optimizer: bool = True,
    save_format: str | None = None,
) -> None:
    """Write a model to a file: its layers, weights, what it was compiled with and its optimizer's state.

    The file is there as a whole or not at all. It does not depend on the backend, and Keras 3 reads it.

    Args:
        model: any model that can be described; see `get_config`.
        filepath: ends in `.keras`, or in `.h5` for the form of Keras 2; or an open file, as `io.BytesIO`.
        overwrite: whether a file that exists is replaced.
        zipped: False writes the files of a `.keras` archive to a folder, whose name does not end in `.keras`.
        include_optimizer: for `.h5`: whether to write the optimizer's state.
        save_format: accepted for Keras 2 code, without effect, as in Keras 3: the suffix says which form is written.

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
    # Code of a format is imported where it is used: `import polykeras` needs none of them.
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
    elif path.endswith((".h5", ".hdf5")):
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
    """Return the model of a file that `save_model` wrote, here or in Keras.

    A file may be a stranger's: it can name nothing but what is part of polykeras, what you registered and what you
    pass; no code in it is run, and it gets no more memory than it brings (docs/saving.md).

    Args:
        filepath: a `.keras` file, an open one, or a folder of what it holds; or an `.h5` file of Keras 1 or 2.
        custom_objects: your classes and functions that it names.
        compile: whether to compile the model as it was.
        safe_mode: False runs code of `lambda`s that the file holds.

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
        raise FileNotFoundError(f"There is no file {path}.")
    if unzipped.is_folder(path):
        return unzipped.load_folder(path, custom_objects, compile, safe_mode)
    if path.endswith(".keras"):
        from polykeras.saving.archive import load_archive

        return load_archive(path, custom_objects, compile, safe_mode)
    if path.endswith((".h5", ".hdf5")):
        from polykeras.saving.legacy.files import load_legacy

        return load_legacy(path, custom_objects, compile, safe_mode)
    if os.path.isdir(path):
        raise ValueError(f"The folder {path!r} holds no model: there is no {unzipped.CONFIG} in it.")
    raise ValueError(f"Models are read from files that end in '.keras', '.h5' or '.hdf5'; received {path!r}.")
