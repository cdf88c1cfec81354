"""Functions of Keras 2 without a counterpart. Each raises an error that says what to do instead."""

from __future__ import annotations

from typing import Any


def _gone(name: str, instead: str) -> NotImplementedError:
    return NotImplementedError(f"`{name}` of Keras 2 no longer exists: {instead}")


def HDF5Matrix(datapath: Any, dataset: str, start: int = 0, end: int | None = None, normalizer: Any = None) -> Any:
    """Raise an error: arrays are read with h5py."""
    raise _gone(
        "HDF5Matrix",
        f"read the array, `h5py.File({datapath!r})[{dataset!r}][start:end]`, or batches of it in a `PyDataset`.",
    )


def multi_gpu_model(model: Any, gpus: Any = None, cpu_merge: bool = True, cpu_relocation: bool = False) -> Any:
    """Raise an error: a model runs on one device."""
    raise _gone("multi_gpu_model", "train the model itself, which runs on one GPU.")


def get_session(op_input_list: Any = ()) -> Any:
    """Raise an error: there are no sessions."""
    raise _gone("get_session", "values are available at once; read them with `keras.ops.convert_to_numpy(x)`.")


def set_session(session: Any) -> None:
    """Raise an error: there are no sessions."""
    raise _gone("set_session", "leave it out; options of a GPU are set with the framework, such as `tf.config`.")
